import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** {@code examples/bindings/run java} */
public final class Check {
    private static void that(boolean truth, String otherwise) {
        if (!truth) {
            throw new AssertionError(otherwise);
        }
    }

    private static int line() {
        return StackWalker.getInstance().walk(frames -> frames.skip(1).findFirst()).orElseThrow().getLineNumber();
    }

    private static void fails(String text, Callable<?> call) throws Exception {
        try {
            call.call();
        } catch (Counter.HandleException error) {
            that(error.getMessage().contains(text), error.getMessage());
            return;
        }
        that(false, "no exception");
    }

    public static void main(String[] arguments) throws Exception {
        // Used, closed, and used after that.
        Counter one = new Counter(5);
        String made = "Check.java:" + (line() - 1);
        that(one.add(2) == 7 && one.handle() > 0, "it counts");
        that(Counter.leaks().contains(made), Counter.leaks());
        one.close();
        fails("was removed", () -> one.add(1));
        fails(made, () -> one.add(1));
        fails("was removed", () -> { one.close(); return 0; });
        for (long wrong : new long[] {0, -1, 6, Long.MIN_VALUE, Long.MAX_VALUE, one.handle() ^ 2}) {
            fails("", () -> Counter.add(wrong, 1));
        }

        // A scope ends it.
        try (Counter scoped = new Counter(1)) {
            that(Counter.live() == 1 && scoped.add(1) == 2, "it is there");
        }
        that(Counter.live() == 0, Counter.leaks());

        // Threads use it while one closes it: they get sums, then exceptions, and nothing else.
        ExecutorService pool = Executors.newFixedThreadPool(4);
        for (int round = 0; round < 200; round++) {
            Counter shared = new Counter(0);
            List<Future<Long>> uses = new ArrayList<>();
            for (int thread = 0; thread < 3; thread++) {
                uses.add(pool.submit(() -> {
                    long last = 0;
                    try {
                        while (true) {
                            long sum = shared.add(1);
                            that(sum > last, "it only grows");
                            last = sum;
                        }
                    } catch (Counter.HandleException error) {
                        that(error.getMessage().contains("was removed"), error.getMessage());
                    }
                    return last;
                }));
            }
            pool.submit(shared::close).get();
            for (Future<Long> use : uses) {
                use.get();
            }
        }
        pool.shutdown();

        // Forgotten ones are closed by the cleaner's thread.
        for (int number = 0; number < 1000; number++) {
            new Counter(number);
        }
        for (int turn = 0; turn < 200 && Counter.live() > 0; turn++) {
            System.gc();
            Thread.sleep(10);
        }
        that(Counter.live() == 0, Counter.leaks());

        // What is kept is a leak, with its line.
        Counter kept = new Counter(1);
        that(Counter.leaks().contains("Check.java:" + (line() - 1)), Counter.leaks());
        kept.close();
        System.out.println("java " + System.getProperty("java.version") + ": ok");
    }
}
