/**
 * The share of its traffic that a host takes `ageMs` after it appeared: from `shareMin` up to 1 at
 * `windowMs`, in a straight line. A new process runs cold code and opens connections, and whoever
 * picks by calls under way would pour everything onto it. Envoy's slow start with aggression 1.
 */
export function slowStartShare(ageMs: number, windowMs: number, shareMin: number): number {
  if (ageMs >= windowMs) return 1;
  return Math.max(shareMin, ageMs / windowMs);
}
