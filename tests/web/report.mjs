// A reporter for node's test runner: one line a test, the reason of a failure, and a plain last line.

export default async function* report(events) {
  let passed = 0;
  let failed = 0;
  for await (const { type, data } of events) {
    if (data?.details?.type === "suite") continue;
    const seconds = ((data?.details?.duration_ms ?? 0) / 1000).toFixed(1);
    if (type === "test:pass" && data.skip === undefined) {
      passed += 1;
      yield `ok     ${data.name} (${seconds} s)\n`;
    } else if (type === "test:fail") {
      failed += 1;
      const { error } = data.details;
      yield `FAILED ${data.name} (${seconds} s)\n${(error.cause ?? error).stack ?? error.message}\n`;
    } else if (type === "test:stderr" || type === "test:stdout") {
      yield data.message;
    }
  }
  yield `${passed} passed, ${failed} failed\n`;
}
