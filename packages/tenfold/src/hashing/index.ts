export { murmur3 } from "./murmur3.ts";
