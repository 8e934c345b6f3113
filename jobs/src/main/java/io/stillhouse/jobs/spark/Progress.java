package io.stillhouse.jobs.spark;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Secrets;
import java.io.PrintStream;
import java.util.Locale;
import java.util.function.LongSupplier;

/**
 * Shows how much of some work is done, its rate and the remaining time: a bar on a terminal, plain
 * lines at growing intervals elsewhere. Writes to standard error; safe to update from any thread.
 *
 * <pre>{@code
 * try (Progress progress = Progress.start("cache", total, "tokens")) {
 *   progress.advance(batch);
 *   progress.note("loss 1.23");
 * }
 * }</pre>
 */
public final class Progress implements AutoCloseable {
  private static final long REDRAW_NANOS = 100_000_000L;
  private static final long FIRST_LINE_NANOS = 10_000_000_000L;
  private static final long LAST_GAP_NANOS = 120_000_000_000L;
  private static final int BAR = 24;

  private final String name;
  private final long total;
  private final String items;
  private final PrintStream out;
  private final int columns;
  private final LongSupplier clock;
  private final long began;
  private final long from;

  private long done;
  private String note = "";
  private long shownAt;
  private long shownTenths;
  private long gap = FIRST_LINE_NANOS;
  private boolean closed;

  /**
   * Starts a display of work that has not begun.
   *
   * @param name the stage, one word
   * @param total number of items; 0 if it is unknown
   * @param items plural of what is counted, such as "tokens"
   */
  public static Progress start(String name, long total, String items) {
    return resume(name, 0, total, items);
  }

  /**
   * Starts a display of work that an earlier run began. The rate does not include the earlier
   * items.
   *
   * @param done number of items that are already done
   */
  public static Progress resume(String name, long done, long total, String items) {
    return new Progress(name, done, total, items, System.err, terminalColumns(), System::nanoTime);
  }

  /** Creates a display; {@code columns} is the width of the terminal, 0 if there is none. */
  Progress(
      String name,
      long from,
      long total,
      String items,
      PrintStream out,
      int columns,
      LongSupplier clock) {
    this.name = name;
    this.from = from;
    this.total = total;
    this.items = items;
    this.out = out;
    this.columns = columns;
    this.clock = clock;
    this.began = clock.getAsLong();
    this.done = from;
    this.shownAt = began;
    this.shownTenths = tenths();
  }

  /** Returns the number of items that were already done at the start. */
  long from() {
    return from;
  }

  /** Sets the number of items that are done. */
  public synchronized void update(long done) {
    this.done = done;
    show();
  }

  /** Adds to the number of items that are done. */
  public synchronized void advance(long more) {
    update(done + more);
  }

  /** Sets a text at the end of the line, such as the last loss. */
  public synchronized void note(String note) {
    this.note = Secrets.hiddenIn(note);
    show();
  }

  /** Prints a last line with the amount, the time and the rate. */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    String amount = total > 0 && done < total ? count(done) + " of " + count(total) : count(done);
    String line =
        format(
            "%s: %s %s in %s, %s %s/s%s",
            name, amount, items, clock(seconds()), count(rate()), items, suffix());
    out.print(columns > 0 ? "\r" + line + "\u001b[K\n" : line + "\n");
    out.flush();
  }

  private void show() {
    if (closed) {
      return;
    }
    long now = clock.getAsLong();
    if (columns > 0) {
      if (now - shownAt >= REDRAW_NANOS || shownAt == began) {
        out.print("\r" + truncate(bar()) + "\u001b[K");
        out.flush();
        shownAt = now;
      }
      return;
    }
    boolean tenthMore = now - shownAt >= FIRST_LINE_NANOS && tenths() > shownTenths;
    if (tenthMore || now - shownAt >= gap) {
      out.print(name + ": " + state() + "\n");
      out.flush();
      shownAt = now;
      shownTenths = tenths();
      gap = Math.min(2 * gap, LAST_GAP_NANOS);
    }
  }

  private String bar() {
    if (total <= 0) {
      return name + "  " + state();
    }
    int filled = (int) Math.round(BAR * share());
    return format("%s [%s%s] %s", name, "#".repeat(filled), ".".repeat(BAR - filled), state());
  }

  private String state() {
    String amount =
        total > 0
            ? format("%.0f %%, %s of %s %s", 100 * share(), count(done), count(total), items)
            : count(done) + " " + items;
    double rate = rate();
    if (rate <= 0) {
      return amount + suffix();
    }
    String left = total > done ? ", " + clock((total - done) / rate) + " left" : "";
    return format("%s, %s %s/s%s%s", amount, count(rate), items, left, suffix());
  }

  private String truncate(String line) {
    return line.length() < columns ? line : line.substring(0, columns - 1);
  }

  private String suffix() {
    return note.isEmpty() ? "" : ", " + note;
  }

  private double share() {
    return total > 0 ? Math.min(1.0, (double) done / total) : 0;
  }

  private long tenths() {
    return total > 0 ? 10 * done / total : 0;
  }

  private double seconds() {
    return (clock.getAsLong() - began) / 1e9;
  }

  private double rate() {
    double seconds = seconds();
    return seconds > 0 ? (done - from) / seconds : 0;
  }

  private static String count(double value) {
    return value < 10 && value != Math.rint(value)
        ? String.format(Locale.ROOT, "%.2f", value)
        : count(Math.round(value));
  }

  private static String count(long value) {
    return String.format(Locale.ROOT, "%,d", value);
  }

  private static String clock(double seconds) {
    long rounded = Math.round(seconds);
    return rounded < 3600
        ? format("%d:%02d", rounded / 60, rounded % 60)
        : format("%d:%02d:%02d", rounded / 3600, rounded / 60 % 60, rounded % 60);
  }

  /**
   * Returns the terminal's width, 0 if there is none. Java cannot tell, so the launcher sets it.
   */
  private static int terminalColumns() {
    String columns = System.getenv("STILLHOUSE_TERMINAL");
    return columns != null && columns.matches("[1-9][0-9]{0,4}") ? Integer.parseInt(columns) : 0;
  }
}
