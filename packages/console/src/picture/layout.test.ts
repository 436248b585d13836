import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { fakeFleet, scenarios } from "../../dev/fake-fleet.ts";
import type { Box, Picture } from "./boxes.ts";
import { groupsOf } from "./groups.ts";
import { layout } from "./layout.ts";

const views = scenarios.map((scenario) => {
  const fleet = fakeFleet(scenario);
  return fleet.view.state(fleet.nowMs(), fleet.timeMs());
});
const pictureOf = (index: number, width: number): Picture => {
  const state = views[index] as (typeof views)[number];
  return layout(groupsOf(state), state.links, width);
};

const overlap = (a: Box, b: Box): boolean =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
const inside = (a: Box, b: Box): boolean =>
  a.x >= b.x && a.y >= b.y && a.x + a.width <= b.x + b.width && a.y + a.height <= b.y + b.height;

const anyPicture = fc
  .tuple(fc.nat(views.length - 1), fc.integer({ min: 320, max: 2_400 }))
  .map(([index, width]) => pictureOf(index, width));

describe("layout", () => {
  test("no box lies on another, at any width", () => {
    fc.assert(
      fc.property(anyPicture, ({ groups, clients }) => {
        const boxes = [clients, ...groups];
        boxes.forEach((a, i) => {
          for (const b of boxes.slice(i + 1)) expect(overlap(a, b)).toBe(false);
        });
      }),
    );
  });

  test("every group is inside its host, every node inside its group, all inside the picture", () => {
    fc.assert(
      fc.property(anyPicture, ({ groups, hosts, width, height }) => {
        for (const group of groups) {
          const host = hosts.find(({ name }) => name === group.group.host) as Box;
          expect(inside(group, host)).toBe(true);
          for (const node of group.nodes) expect(inside(node, group)).toBe(true);
        }
        for (const host of hosts) expect(inside(host, { x: 0, y: 0, width, height })).toBe(true);
      }),
    );
  });

  test("every process is there once", () => {
    for (const [index, state] of views.entries()) {
      const nodes = pictureOf(index, 1_200).groups.flatMap(({ nodes }) => nodes);
      const names = nodes.map(({ node }) => node.instance.name);
      expect(names.sort()).toEqual(state.instances.map(({ name }) => name).sort());
    }
  });

  test("the main road runs from left to right", () => {
    const { groups } = pictureOf(0, 1_200);
    const road = ["gateway", "posts", "queue-posts", "worker", "shard posts-0"];
    const xs = road.map((title) => groups.find(({ group }) => group.title === title)?.x);
    expect(xs).toEqual([...xs].sort((a = 0, b = 0) => a - b));
    expect(new Set(xs).size).toBe(road.length);
  });

  test("a narrow window gets a picture that is no wider", () => {
    for (const index of views.keys()) expect(pictureOf(index, 366).width).toBe(366);
  });
});
