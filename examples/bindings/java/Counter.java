import java.lang.ref.Cleaner;

/** A counter of C's. Any thread may use it and close it, at any time. */
public final class Counter implements AutoCloseable {
    /** What haft said: the handle, what it is, and the lines that created and removed it. */
    public static final class HandleException extends RuntimeException {
        public HandleException(String message) {
            super(message);
        }
    }

    private static final Cleaner CLEANER = Cleaner.create();

    static {
        System.loadLibrary("counter_jni");
    }

    private final long handle;

    public Counter(long value) {
        StackWalker.StackFrame caller =
            StackWalker.getInstance().walk(frames -> frames.skip(1).findFirst()).orElseThrow();
        handle = create(value, caller.getFileName() + ":" + caller.getLineNumber());
        // The action has the handle, and not this object, which could never be collected else.
        long created = handle;
        CLEANER.register(this, () -> collect(created));
    }

    /** The handle, for what holds a {@code long}: a native library, a map. It is positive. */
    public long handle() {
        return handle;
    }

    public long add(long amount) {
        return add(handle, amount);
    }

    /** Closes it; who uses it at this moment goes on until its call ends. Closing it again is an error. */
    @Override
    public void close() {
        remove(handle);
    }

    /** Of any {@code long}, which may be no handle at all. */
    public static native long add(long handle, long amount);

    public static native long live();

    public static native String leaks();

    private static native long create(long value, String place);

    private static native void remove(long handle);

    private static native void collect(long handle);
}
