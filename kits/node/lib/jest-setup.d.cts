/** For `globalSetup` of jest. */
declare function begin(): Promise<void>;
export = begin;
