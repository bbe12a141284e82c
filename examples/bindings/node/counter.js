"use strict";

const native = require(process.env.COUNTER_ADDON);

// Told when a counter has been collected. It has the handle, and not the counter.
const collected = new FinalizationRegistry(native.collect);

// The line that called the constructor.
function place() {
    const before = Error.prepareStackTrace;
    Error.prepareStackTrace = (_, frames) => frames;
    const frame = new Error().stack[2];
    Error.prepareStackTrace = before;
    return `${frame.getFileName()}:${frame.getLineNumber()}`;
}

// A counter of C's. Its handle is a number, which may be sent to workers, put into JSON or kept in a map.
class Counter {
    #handle;

    constructor(value = 0) {
        this.#handle = native.create(value, place());
        collected.register(this, this.#handle, this);
    }

    get handle() {
        return this.#handle;
    }

    add(amount) {
        return native.add(this.#handle, amount);
    }

    close() {
        collected.unregister(this);
        native.remove(this.#handle);
    }
}

// For a handle that came as a number or a BigInt: whatever it is, an error says so.
Counter.addTo = native.add;

module.exports = { Counter, live: native.live, leaks: native.leaks };
