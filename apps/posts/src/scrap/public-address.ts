import ipaddr from "ipaddr.js";

const globalUnicast = ipaddr.IPv6.parseCIDR("2000::/3");

/**
 * Is this address one of the public internet? Every special range is not: private, loopback,
 * link-local, carrier NAT, unique local, multicast, documentation, benchmarking, reserved. Of IPv6
 * only 2000::/3 counts, without 6to4 and Teredo, so that no form that carries an IPv4 address
 * inside (mapped, compatible, NAT64, translated) leads around the check.
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== "unicast") return false;
  return parsed.kind() === "ipv4" || parsed.match(globalUnicast);
}
