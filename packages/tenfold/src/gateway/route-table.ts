import { TenfoldError } from "../runtime/errors.ts";
import { numberOption, refuseUnknownKeys } from "../runtime/options.ts";

export interface Route {
  /** A path prefix that ends at a segment's border: `/posts` takes `/posts` and `/posts/7`. */
  readonly path: string;
  readonly service: string;
  /** In capitals; left out: all but TRACE and CONNECT. */
  readonly methods?: readonly string[];
  /** Default `gatewayDefaults.bodyBytesMax`. */
  readonly bodyBytesMax?: number;
  /** Until the answer begins. Default `gatewayDefaults.deadlineMs`. */
  readonly deadlineMs?: number;
}

/** The route with the longest prefix of the path. O(segments). */
export interface RouteTable {
  find(path: string): Route | undefined;
}

/**
 * Paths are compared as they came: `%2F` is not a slash, and no decoding makes two paths equal
 * here that differ at the service.
 *
 * @throws TENFOLD_GATEWAY_ROUTE_INVALID, TENFOLD_OPTION_INVALID
 */
export function routeTable(routes: readonly Route[]): RouteTable {
  const byPath = new Map<string, Route>();
  for (const route of routes) {
    checkShape(route);
    const path = route.path === "/" ? "" : route.path;
    if (!/^(\/[A-Za-z0-9._~-]+)*$/.test(path)) {
      throw invalid(route, "must be / or segments of letters, digits, . _ ~ - after slashes");
    }
    if (byPath.has(path)) throw invalid(route, "is there twice");
    byPath.set(path, route);
  }
  return {
    find(path) {
      let prefix = path.endsWith("/") ? path.slice(0, -1) : path;
      for (;;) {
        const route = byPath.get(prefix);
        if (route !== undefined) return route;
        const cut = prefix.lastIndexOf("/");
        if (cut < 0) return undefined;
        prefix = prefix.slice(0, cut);
      }
    },
  };
}

/** Routes come from files that people write, so types alone do not hold. */
function checkShape(route: Route): void {
  const code = "TENFOLD_GATEWAY_ROUTE_INVALID";
  refuseUnknownKeys(`The route ${String(route.path)}`, route, keys, code);
  const { path, service, methods, bodyBytesMax = 0, deadlineMs = 1 } = route;
  if (typeof path !== "string") throw invalid(route, "needs a path");
  if (typeof service !== "string" || service === "") throw invalid(route, "names no service");
  if (methods?.every((method) => /^[A-Z]+$/.test(method)) === false) {
    throw invalid(route, "has a method that is not in capitals");
  }
  numberOption(`bodyBytesMax of ${path}`, bodyBytesMax, { min: 0, max: 2 ** 30 });
  numberOption(`deadlineMs of ${path}`, deadlineMs, { min: 1, max: 600_000 });
}

const keys: readonly (keyof Route)[] = ["path", "service", "methods", "bodyBytesMax", "deadlineMs"];

function invalid(route: Route, why: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_GATEWAY_ROUTE_INVALID",
    `The route ${JSON.stringify(route.path)} ${why}.`,
    { details: { path: route.path } },
  );
}
