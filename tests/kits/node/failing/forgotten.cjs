// An application with a mistake: it creates a job, and never runs it.
const { Courier } = require("@trycourier/courier");

exports.forgotten = () => new Courier().bulk.createJob({ message: { template: "nt_1" } });
