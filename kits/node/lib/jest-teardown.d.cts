/** For `globalTeardown` of jest. */
declare function end(): Promise<void>;
export = end;
