import type { ServiceHandler } from "./service.ts";
import { type AdminTrust, checkAdminRequest } from "./trust.ts";

/** A handler for those alone who show the fleet's token; checks Host and Origin too. */
export function guardedHandler(trust: AdminTrust, handler: ServiceHandler): ServiceHandler {
  return (request) => {
    const { host, origin, authorization } = request.headers;
    const secFetchSite = request.headers["sec-fetch-site"]?.toString();
    const { method } = request;
    const verdict = checkAdminRequest({ method, host, origin, secFetchSite, authorization }, trust);
    if (verdict.ok) return handler(request);
    const { status, code, message } = verdict;
    return { status, body: { error: { code, message } } };
  };
}
