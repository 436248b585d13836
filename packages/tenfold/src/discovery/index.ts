export {
  type CoordinatorResolver,
  type CoordinatorResolverOptions,
  coordinatorResolver,
} from "./coordinator-resolver.ts";
export { builtInDispatcher } from "./dispatcher.ts";
export {
  type DnsResolver,
  type DnsResolverOptions,
  type DnsResolverState,
  dnsResolver,
  dnsResolverDefaults,
} from "./dns-resolver.ts";
export {
  type Endpoint,
  type EndpointLoad,
  type EndpointProtocol,
  endpointProtocols,
  type Member,
  type Resolver,
} from "./endpoint.ts";
export type { FetchInit } from "./fetch-call.ts";
export { formatMember, parseMember } from "./member.ts";
export type { ServiceListing } from "./member-book.ts";
export {
  createRegistrar,
  type MemberUpdate,
  type Registrar,
  type RegistrarOptions,
} from "./registrar.ts";
export type { RequestBody } from "./request-parts.ts";
export { createServiceClient, type ServiceCall, type ServiceClient } from "./service-client.ts";
export {
  type ServiceClientLimits,
  type ServiceClientOptions,
  serviceClientDefaults,
  servicePolicyDefaults,
} from "./service-client-options.ts";
export type { ServiceClientState } from "./service-client-state.ts";
export {
  type KeyedRequest,
  type ServiceInterceptor,
  type ServiceInterceptorOptions,
  serviceInterceptor,
} from "./service-interceptor.ts";
export {
  createServiceRegistry,
  type Registered,
  type ServiceRegistry,
  type ServiceRegistryLimits,
  type ServiceRegistryOptions,
  serviceRegistryDefaults,
} from "./service-registry.ts";
export type { ServiceReply } from "./service-reply.ts";
export { type StaticEndpoint, type StaticEndpoints, staticResolver } from "./static-resolver.ts";
