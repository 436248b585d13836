import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { type AdminRequest, checkAdminRequest, checkStranger } from "./trust.ts";

const trust = { token: "s3cret-token", ownHosts: ["10.0.0.1:18001", "fleet.internal", "fd00::1"] };
const good: AdminRequest = {
  method: "POST",
  host: "10.0.0.1:18001",
  origin: undefined,
  authorization: "Bearer s3cret-token",
};

describe("checkAdminRequest", () => {
  it.each([
    "10.0.0.1",
    "10.0.0.1:18001",
    "localhost:18001",
    "LOCALHOST",
    "127.0.0.1:9",
    "[::1]:9",
    "[fd00::1]:18001",
    "fleet.internal",
  ])("answers to its own name %s", (host) => {
    expect(checkAdminRequest({ ...good, host }, trust)).toEqual({ ok: true });
  });

  it.each([
    undefined,
    "",
    "evil.example",
    "evil.example:18001",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil@127.0.0.1",
    "10.0.0.1:18001:1",
    "10.0.0.1/",
    "10.0.0.10",
    "0x7f000001",
    "[::1",
  ])("refuses the host %s, as DNS rebinding would send it", (host) => {
    expect(checkAdminRequest({ ...good, host }, trust)).toMatchObject({
      status: 403,
      code: "TENFOLD_FLEET_HOST_REFUSED",
    });
  });

  it("takes its own origin, and no other: not null, not another port of the same host", () => {
    const verdict = (origin: string): unknown => checkAdminRequest({ ...good, origin }, trust);
    expect(verdict("http://10.0.0.1:18001")).toEqual({ ok: true });
    expect(verdict("https://10.0.0.1:18001")).toEqual({ ok: true });
    for (const origin of ["null", "http://10.0.0.1:8081", "http://evil.example", ""]) {
      expect(verdict(origin)).toMatchObject({ code: "TENFOLD_FLEET_ORIGIN_REFUSED" });
    }
  });

  it("refuses what a page of another site sends, even when it hides its origin", () => {
    for (const secFetchSite of ["cross-site", "same-site"]) {
      expect(checkAdminRequest({ ...good, secFetchSite }, trust)).toMatchObject({ status: 403 });
      const read = { ...good, method: "GET", secFetchSite };
      expect(checkAdminRequest(read, trust)).toEqual({ ok: true });
    }
  });

  it("takes the token as Bearer only, and no other", () => {
    expect(checkAdminRequest({ ...good, authorization: "bearer  s3cret-token" }, trust).ok).toBe(
      true,
    );
    const wrong = [undefined, "", "Bearer", "Bearer ", "Basic s3cret-token", "s3cret-token"];
    for (const authorization of wrong) {
      expect(checkAdminRequest({ ...good, authorization }, trust)).toMatchObject({
        status: 401,
        code: "TENFOLD_FLEET_TOKEN_REFUSED",
      });
    }
    fc.assert(
      fc.property(fc.string(), (token) => {
        fc.pre(token.trim() !== trust.token);
        const authorization = `Bearer ${token}`;
        expect(checkAdminRequest({ ...good, authorization }, trust).ok).toBe(false);
      }),
    );
  });

  it("takes nobody when it has no token itself", () => {
    const without = { ...trust, token: "" };
    expect(checkAdminRequest({ ...good, authorization: "Bearer " }, without).ok).toBe(false);
    expect(checkStranger(good, trust.ownHosts)).toEqual({ ok: true });
  });
});
