import { type ESTree, parseSync, Visitor } from "vite";

export interface ListedMetric {
  readonly name: string;
  readonly kind: string;
  readonly labels: readonly string[];
  readonly help: string;
}

type Nodes = ESTree.Node;
type Call = ESTree.CallExpression;

const kinds = ["counter", "gauge", "histogram", "summary"];

/**
 * The metrics that a source file makes: `registry.counter({ name, help, labels })`, and calls of a
 * local helper `const gauge = (name, help) => registry.gauge({ name, help })`.
 */
export function metricsOf(path: string, text: string): readonly ListedMetric[] {
  const { program } = parseSync(path, text);
  const found: ListedMetric[] = [];
  /** What a helper makes of the name it is given. */
  const helpers = new Map<string, { kind: string; full: (name: string) => string }>();
  const calls: { helper: string; call: Call }[] = [];
  new Visitor({
    VariableDeclarator({ id, init }) {
      if (id.type !== "Identifier" || init?.type !== "ArrowFunctionExpression") return;
      if (init.body.type !== "CallExpression") return;
      const made = registryCall(init.body);
      const name = made && propertyOf(made.shape, "name");
      if (made !== undefined && name !== undefined) {
        helpers.set(id.name, { kind: made.kind, full: (given) => fill(name, given) });
      }
    },
    CallExpression(call) {
      if (call.callee.type === "Identifier") calls.push({ helper: call.callee.name, call });
      const made = registryCall(call);
      const name = made && textOf(propertyOf(made.shape, "name"));
      if (made === undefined || name === undefined) return;
      found.push({
        name,
        kind: made.kind,
        labels: textsOf(propertyOf(made.shape, "labels")),
        help: textOf(propertyOf(made.shape, "help")) ?? "",
      });
    },
  }).visit(program);
  for (const { helper, call } of calls) {
    const known = helpers.get(helper);
    const [name, help] = call.arguments.map(textOf);
    if (known === undefined || name === undefined) continue;
    found.push({ name: known.full(name), kind: known.kind, labels: [], help: help ?? "" });
  }
  return found;
}

function registryCall(call: Call): { kind: string; shape: ESTree.ObjectExpression } | undefined {
  const { callee } = call;
  const [shape] = call.arguments;
  if (callee.type !== "MemberExpression" || callee.property.type !== "Identifier") return undefined;
  if (!kinds.includes(callee.property.name) || shape?.type !== "ObjectExpression") return undefined;
  return { kind: callee.property.name, shape };
}

function propertyOf(shape: ESTree.ObjectExpression, name: string): Nodes | undefined {
  for (const property of shape.properties) {
    if (property.type !== "Property" || property.key.type !== "Identifier") continue;
    if (property.key.name === name) return property.value;
  }
  return undefined;
}

/** A constant string, also one in several parts. */
function textOf(node: Nodes | undefined): string | undefined {
  if (node?.type === "Literal" && typeof node.value === "string") return node.value;
  if (node?.type !== "BinaryExpression" || node.operator !== "+") return undefined;
  const left = textOf(node.left);
  const right = textOf(node.right);
  return left === undefined || right === undefined ? undefined : left + right;
}

function textsOf(node: Nodes | undefined): string[] {
  if (node?.type !== "ArrayExpression") return [];
  return node.elements.flatMap((each) => textOf(each ?? undefined) ?? []);
}

function fill(template: Nodes, given: string): string {
  if (template.type !== "TemplateLiteral") return given;
  return template.quasis.map(({ value }) => value.raw).join(given);
}
