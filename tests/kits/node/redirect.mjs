// What an entry of the hosts file does, and the port, which a test cannot take: api.courier.com is the daemon of BULKD_PORT.
import tls from "node:tls";

const connect = tls.connect;
tls.connect = (options, ...rest) => {
  const isCouriers = options?.servername === "api.courier.com" || options?.host === "api.courier.com";
  const place = { host: "127.0.0.1", port: Number(process.env.BULKD_PORT), servername: "api.courier.com" };
  return connect(isCouriers ? { ...options, ...place } : options, ...rest);
};
