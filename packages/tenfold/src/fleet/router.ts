import { TenfoldError } from "../runtime/errors.ts";

/**
 * found: `pattern` is the route's key. unknown: no such path. method: the path is there, for other
 * methods. malformed: no path by RFC 3986, or with control characters.
 */
export type RouteMatch<Handler> =
  | {
      readonly kind: "found";
      readonly pattern: string;
      readonly handler: Handler;
      readonly params: Readonly<Record<string, string>>;
    }
  | { readonly kind: "unknown" }
  | { readonly kind: "method"; readonly allow: readonly string[] }
  | { readonly kind: "malformed" };

export interface Router<Handler> {
  /**
   * The route of a request. A literal segment goes before a parameter; HEAD is answered by GET.
   * O(segments), or at worst the number of segments in all patterns.
   *
   * @param path raw, without the query
   */
  match(method: string, path: string): RouteMatch<Handler>;
}

interface Target<Handler> {
  readonly pattern: string;
  readonly handler: Handler;
  readonly names: readonly string[];
}

interface Node<Handler> {
  readonly literals: Map<string, Node<Handler>>;
  parameter: Node<Handler> | undefined;
  readonly methods: Map<string, Target<Handler>>;
}

const patternShape = /^([A-Z]+) (\/\S*)$/;
const nameShape = /^[a-zA-Z][a-zA-Z0-9_]*$/;
const segmentsMax = 64;

/**
 * Compiles `"GET /posts/:user"` patterns: literal segments, and `:name` for one that is not empty.
 * @throws TENFOLD_FLEET_ROUTE_INVALID naming the pattern
 */
export function compileRoutes<Handler>(routes: Readonly<Record<string, Handler>>): Router<Handler> {
  const root = emptyNode<Handler>();
  for (const [pattern, handler] of Object.entries(routes)) addRoute(root, pattern, handler);
  return {
    match(method, path) {
      const segments = decodedSegments(path);
      if (segments === undefined) return { kind: "malformed" };
      if (segments.length > segmentsMax) return { kind: "unknown" };
      const allow = new Set<string>();
      const found = find(root, segments, method, allow);
      if (found === undefined) {
        return allow.size === 0
          ? { kind: "unknown" }
          : { kind: "method", allow: [...allow].sort() };
      }
      const { target, values } = found;
      const { pattern, handler } = target;
      return { kind: "found", pattern, handler, params: paramsOf(target.names, values) };
    },
  };
}

function addRoute<Handler>(root: Node<Handler>, pattern: string, handler: Handler): void {
  const [, method, path] = patternShape.exec(pattern) ?? [];
  if (method === undefined || path === undefined) {
    throw invalidRoute(pattern, 'it must read like "GET /api/v1/posts/:user"');
  }
  const names: string[] = [];
  let node = root;
  for (const segment of path.slice(1).split("/")) {
    if (segment.startsWith(":")) {
      const name = segment.slice(1);
      if (!nameShape.test(name) || names.includes(name)) {
        throw invalidRoute(pattern, `"${segment}" is no name, or there twice`);
      }
      names.push(name);
      node.parameter ??= emptyNode();
      node = node.parameter;
    } else {
      const next = node.literals.get(segment) ?? emptyNode();
      node.literals.set(segment, next);
      node = next;
    }
  }
  const known = node.methods.get(method);
  if (known !== undefined) throw invalidRoute(pattern, `it is the same as "${known.pattern}"`);
  node.methods.set(method, { pattern, handler, names });
}

interface Found<Handler> {
  readonly target: Target<Handler>;
  readonly values: readonly string[];
}

/** Literals first; a branch that ends nowhere is left for the parameter beside it. */
function find<Handler>(
  node: Node<Handler>,
  segments: readonly string[],
  method: string,
  allow: Set<string>,
): Found<Handler> | undefined {
  const [segment, ...rest] = segments;
  if (segment === undefined) {
    const fits = node.methods.get(method) ?? (method === "HEAD" && node.methods.get("GET"));
    if (fits) return { target: fits, values: [] };
    for (const other of node.methods.keys()) allow.add(other);
    if (node.methods.has("GET")) allow.add("HEAD");
    return undefined;
  }
  const literal = node.literals.get(segment);
  const found = literal && find(literal, rest, method, allow);
  if (found !== undefined || node.parameter === undefined || segment === "") return found;
  const inner = find(node.parameter, rest, method, allow);
  return inner && { target: inner.target, values: [segment, ...inner.values] };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const controlCharacter = /[\u0000-\u001f\u007f]/;

function decodedSegments(path: string): string[] | undefined {
  if (!path.startsWith("/")) return undefined;
  try {
    const segments = path.slice(1).split("/").map(decodeURIComponent);
    return segments.some((each) => controlCharacter.test(each)) ? undefined : segments;
  } catch {
    return undefined;
  }
}

/** Without a prototype: no parameter is there that the pattern does not name. */
function paramsOf(names: readonly string[], values: readonly string[]): Record<string, string> {
  const params: Record<string, string> = Object.create(null);
  for (const [index, name] of names.entries()) params[name] = values[index] as string;
  return params;
}

function emptyNode<Handler>(): Node<Handler> {
  return { literals: new Map(), parameter: undefined, methods: new Map() };
}

function invalidRoute(pattern: string, why: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_FLEET_ROUTE_INVALID",
    `The route ${JSON.stringify(pattern)} is not usable: ${why}.`,
    { details: { pattern } },
  );
}
