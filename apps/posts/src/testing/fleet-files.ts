import { writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const built = fileURLToPath(new URL("../../dist/", import.meta.url));

/** The product's fleet as it is built, with one more host that scrap may ask; returns the path. */
export function fleetFileAllowing(host: string, folder: string): string {
  const changes = `{
    ...services,
    scrap: {
      ...services.scrap,
      settings: ({ addressOf }) => ({ allowHosts: [addressOf("pages"), ${JSON.stringify(host)}] }),
    },
  }`;
  return writeFleetFile(join(folder, "allowing.mjs"), `{ ...fleet, services: ${changes} }`);
}

/** The same fleet with what writing and reading need and no more: it starts sooner. */
export function smallFleetFile(folder: string): string {
  const { posts, worker, guid, scrap } = {
    posts: "{ ...services.posts, instances: 1 }",
    worker: "{ ...services.worker, instances: 1 }",
    guid: "{ ...services.guid, instances: 1 }",
    scrap: "{ ...services.scrap, instances: 1, settings: {} }",
  };
  const store = "{ ...fleet.stores.posts, shards: 1, standbys: 0 }";
  const routes = 'fleet.gateway.routes.filter(({ service }) => service === "posts")';
  return writeFleetFile(
    join(folder, "small.mjs"),
    `{
  name: fleet.name,
  coordinator: fleet.coordinator,
  gateway: { ...fleet.gateway, routes: ${routes} },
  services: { posts: ${posts}, worker: ${worker}, guid: ${guid}, scrap: ${scrap} },
  stores: { posts: ${store} },
  queues: fleet.queues,
}`,
  );
}

/** Two hosts, and of the product what is needed to ask for ids and to follow a database. */
export function twoHostsFleetFile(folder: string): string {
  const routes = 'fleet.gateway.routes.filter(({ service }) => service === "guid")';
  return writeFleetFile(
    join(folder, "two-hosts.mjs"),
    `{
  name: "two",
  hosts: { a: { address: "127.0.0.1", zone: "z1" }, b: { address: "127.0.0.2", zone: "z2" } },
  gateway: { ...fleet.gateway, routes: ${routes} },
  services: { guid: services.guid },
  stores: { posts: { ...fleet.stores.posts, shards: 1, standbys: 1 } },
}`,
  );
}

/** Modules are named from beside the fleet file, which is not where the built ones are. */
function writeFleetFile(path: string, definition: string): string {
  const modules = JSON.stringify(relative(join(path, ".."), built));
  const text = `import fleet from ${JSON.stringify(pathToFileURL(join(built, "fleet.js")).href)};

const services = Object.fromEntries(
  Object.entries(fleet.services).map(([name, service]) => {
    const module = service.module.replace(/^\\.\\//, ${modules} + "/").replace(/\\.ts$/, ".js");
    return [name, { ...service, module }];
  }),
);

export default ${definition};
`;
  writeFileSync(path, text);
  return path;
}
