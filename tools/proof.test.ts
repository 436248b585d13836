import { describe, expect, it } from "vitest";

import { exampleOf, outputDifference } from "./proof/example.ts";
import { runCommand } from "./proof/run-command.ts";
import { runSteps, type Step } from "./proof/steps.ts";
import { addCounts, oneCheck, refusedSkips } from "./proof/test-counts.ts";

describe("an example's promise", () => {
  const { code, expected } = exampleOf("go();\n\n// Prints:\n// id …\n//\n// done (1.5 ms)\n");

  it("is the comment at its end", () => {
    expect(code).toBe("go();\n");
    expect(expected).toEqual(["id …", "", "done (1.5 ms)"]);
    expect(() => exampleOf("go();")).toThrow("Prints:");
  });

  it("is kept only by the same lines", () => {
    expect(outputDifference(expected, "id 42\n\ndone (1.5 ms)\n")).toBeUndefined();
    expect(outputDifference(expected, "id 42\n\ndone (1x5 ms)\n")).toContain("line 3");
    expect(outputDifference(expected, "id 42\n")).toContain("printed nothing");
    expect(outputDifference(expected, "id 42\n\ndone (1.5 ms)\nmore\n")).toContain(
      "nothing, printed",
    );
  });
});

describe("skips", () => {
  const counts = {
    ...oneCheck(true),
    skipped: [
      { name: "a", reason: "etcd was not found" },
      { name: "b", reason: "" },
      { name: "c", reason: "not here: wants root" },
      { name: "d", reason: "needs a proxy before a server" },
      { name: "e", reason: "known fault etcd-io/etcd#15247: a session ended early" },
    ],
  };

  it("need a reason always", () => {
    expect(refusedSkips(counts, false).map(({ name }) => name)).toEqual(["b"]);
  });

  it("for want of an engine fail where engines are required", () => {
    expect(refusedSkips(counts, true).map(({ name }) => name)).toEqual(["a", "b"]);
  });
});

describe("steps", () => {
  const step = (name: string, run: Step["run"]): Step => ({ name, run });

  it("add up over lanes, a crash as one failure", async () => {
    const said: string[] = [];
    const counts = await runSteps(
      [
        [
          step("good", async () => ({ passed: 3, failed: 0, skipped: [], output: "unseen" })),
          step("bad", async () => ({ passed: 1, failed: 2, skipped: [], output: "why it failed" })),
        ],
        [step("crash", () => Promise.reject(new Error("out of luck")))],
      ],
      (line) => said.push(line),
    );
    expect(counts).toEqual({ passed: 4, failed: 3, skipped: [] });
    expect(said.join("\n")).toContain("why it failed");
    expect(said.join("\n")).toContain("out of luck");
    expect(said.join("\n")).not.toContain("unseen");
    expect(addCounts([oneCheck(true), oneCheck(false)])).toMatchObject({ passed: 1, failed: 1 });
  });

  it("end a command at its budget, children and all", async () => {
    const script = `require("node:child_process").spawn("sleep", ["60"], { stdio: "inherit" });
      setTimeout(() => {}, 60_000);`;
    const { code, output } = await runCommand(process.execPath, ["-e", script], { budgetMs: 400 });
    expect(code).toBe(1);
    expect(output).toContain("over its budget of 0.4 s");
  });
});
