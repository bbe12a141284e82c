// `examples/bindings/run node`
"use strict";

const assert = require("node:assert");
const { Worker, isMainThread, parentPort, workerData } = require("node:worker_threads");
const { Counter, live, leaks } = require("./counter.js");

const line = () => Number(new Error().stack.split("\n")[2].match(/:(\d+):\d+\)?$/)[1]);

// A worker: it adds as long as the counter is there.
if (!isMainThread) {
    let added = 0;
    try {
        for (;;) {
            Counter.addTo(workerData, 1);
            added += 1;
            if (added === 1000) parentPort.postMessage("many");
        }
    } catch (error) {
        parentPort.postMessage({ added, message: error.message });
    }
    return;
}

async function check() {
    // Used, closed, and used after that.
    const one = new Counter(5);
    const made = `check.js:${line() - 1}`;
    assert.equal(one.add(2), 7);
    assert.ok(Number.isSafeInteger(one.handle) && leaks().includes(made), leaks());
    assert.equal(Counter.addTo(BigInt(one.handle), 1), 8);
    assert.equal(Counter.addTo(JSON.parse(JSON.stringify(one.handle)), 1), 9);
    one.close();
    assert.throws(() => one.add(1), (error) => error.message.includes("was removed") && error.message.includes(made));
    assert.throws(() => one.close(), /was removed/);
    for (const wrong of [0, -1, 6, 1.5e300, NaN, undefined, "text", {}, -1n, 2n ** 64n]) {
        assert.throws(() => Counter.addTo(wrong, 1), Error, String(wrong));
    }

    // Workers use it while it is closed.
    const shared = new Counter(0);
    const workers = [1, 2].map(() => new Worker(__filename, { workerData: shared.handle }));
    const ends = workers.map((worker) => new Promise((resolve, reject) => {
        worker.on("error", reject);
        worker.on("message", (message) => message.added && resolve(message));
    }));
    await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once("message", resolve))));
    assert.ok(shared.add(0) >= 2000);
    shared.close();
    for (const end of await Promise.all(ends)) {
        assert.ok(end.added >= 1000 && end.message.includes("was removed"), end.message);
    }

    // Forgotten ones are closed some time after they were collected.
    for (let number = 0; number < 1000; number += 1) new Counter(number);
    for (let turn = 0; turn < 100 && live() > 0; turn += 1) {
        global.gc();
        await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.equal(live(), 0, leaks());

    // What is kept is a leak, with its line.
    const kept = new Counter(1);
    assert.ok(leaks().includes(`check.js:${line() - 1}`));
    kept.close();
    console.log(`node ${process.version}: ok`);
}

check();
