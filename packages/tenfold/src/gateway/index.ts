export { createGateway, type Gateway, type GatewayOptions } from "./gateway.ts";
export { type GatewayLimits, gatewayDefaults } from "./gateway-limits.ts";
export type { Route } from "./route-table.ts";
