export function setup(): Promise<void>;
export function teardown(): Promise<void>;
declare const begin: () => Promise<void>;
export default begin;
