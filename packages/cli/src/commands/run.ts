import { resolve } from "node:path";

import { runService, type Service } from "tenfold/fleet";

import { importService, loadFleetFile } from "../fleet-file.ts";
