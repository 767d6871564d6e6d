// For `globalSetup` of vitest: one daemon for the whole run.
import shared from "./shared.cjs";

export const setup = shared.begin;
export const teardown = shared.end;
