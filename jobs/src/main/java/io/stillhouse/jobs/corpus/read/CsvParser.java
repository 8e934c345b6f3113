package io.stillhouse.jobs.corpus.read;

import java.io.Closeable;
import java.io.IOException;
import java.nio.CharBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A strict parser of CSV as in RFC 4180: fields in double quotes may contain commas, line breaks
 * and doubled quotes. Quotes inside a field without quotes are text, blanks after a closing quote
 * are ignored, and empty lines are skipped.
 *
 * <p>Unlike the parsers of Spark and univocity, it finds quotes that are never closed: the line in
 * which such a record starts is broken, and parsing goes on with the line after it, so that one
 * stray quote costs one row and not the rest of the file.
 */
final class CsvParser implements Closeable {
  static final String OPEN_QUOTE = "a quote that is not closed, or text after a closing quote";

  /** The maximum length of a record with a quoted field, in characters. */
  private static final int LONGEST = 1 << 24;

  private static final int END = -1;

  private final StrictDecoder in;
  private char[] buffer = new char[1 << 16];
  private int start; // of the record
  private int at;
  private int limit;
  private boolean ended;

  /** What ended the first line of the file; 0 until it is known. */
  private char firstEnd;

  private boolean crLf;

  private int count;
  private int[] from = new int[16]; // relative to the start of the record
  private int[] to = new int[16];
  private boolean[] quoted = new boolean[16];
  private int end; // of the record, without its line end
  private @Nullable String problem;

  CsvParser(StrictDecoder in) {
    this.in = in;
  }

  /** Moves to the next record. Returns false at the end. */
  boolean next() throws IOException {
    problem = null;
    count = 0;
    do {
      start = at;
      if (peek() == END) {
        return false;
      }
    } while (skipLineEnd());
    if (!parse()) {
      at = start;
      toLineEnd();
      end = at - start;
      skipLineEnd();
      count = 0;
      problem = OPEN_QUOTE;
    } else if (in.sawMalformed()
        && StrictDecoder.isMalformed(CharBuffer.wrap(buffer), start, start + end)) {
      problem = "";
    }
    return true;
  }

  /** Returns the number of fields. */
  int count() {
    return count;
  }

  /** Returns why the record is broken: empty for malformed characters, null if it is not broken. */
  @Nullable String problem() {
    return problem;
  }

  /** Returns a field; null if it is empty and not quoted. */
  @Nullable String field(int index) {
    int first = start + from[index];
    int length = to[index] - from[index];
    if (!quoted[index]) {
      return length == 0 ? null : new String(buffer, first, length);
    }
    StringBuilder text = null;
    int copied = first;
    for (int c = first; c < first + length; c++) {
      boolean lineEnd =
          crLf && buffer[c] == '\r' && c + 1 < first + length && buffer[c + 1] == '\n';
      if (buffer[c] == '"' || lineEnd) { // keeps the second of two quotes, and the line feed
        text = text == null ? new StringBuilder(length) : text;
        text.append(buffer, copied, c - copied);
        copied = c + 1;
        c++;
      }
    }
    return text == null
        ? new String(buffer, first, length)
        : text.append(buffer, copied, first + length - copied).toString();
  }

  /** Parses the fields of a record and the end of its line. Returns false if a quote is open. */
  private boolean parse() throws IOException {
    while (true) {
      int first = at - start;
      if (peek() == '"') {
        at++;
        if (!toClosingQuote()) {
          return false;
        }
        add(first + 1, at - start, true);
        at++;
        skipBlanks();
      } else {
        toFieldEnd();
        add(first, at - start, false);
      }
      int next = peek();
      if (next == ',') {
        at++;
        continue;
      }
      end = at - start;
      return next == END || skipLineEnd();
    }
  }

  private void add(int first, int last, boolean inQuotes) {
    if (count == from.length) {
      from = Arrays.copyOf(from, 2 * count);
      to = Arrays.copyOf(to, 2 * count);
      quoted = Arrays.copyOf(quoted, 2 * count);
    }
    from[count] = first;
    to[count] = last;
    quoted[count++] = inQuotes;
  }

  private boolean toClosingQuote() throws IOException {
    while (true) {
      int c = peek();
      if (c == END || at - start > LONGEST) {
        return false;
      }
      if (c == '"') {
        at++;
        if (peek() != '"') {
          at--;
          return true;
        }
      }
      at++;
    }
  }

  private void toFieldEnd() throws IOException {
    for (int c = peek(); c != END && c != ',' && !endsLine(c); c = peek()) {
      at++;
    }
  }

  private void toLineEnd() throws IOException {
    for (int c = peek(); c != END && !endsLine(c); c = peek()) {
      at++;
    }
  }

  private void skipBlanks() throws IOException {
    for (int c = peek(); c != END && c <= ' ' && !endsLine(c); c = peek()) {
      at++;
    }
  }

  private boolean skipLineEnd() throws IOException {
    int c = peek();
    if (c == END || !endsLine(c)) {
      return false;
    }
    at++;
    if (c == '\r' && peek() == '\n') {
      at++;
    }
    return true;
  }

  /** A CR alone ends lines only in files whose first line it ends. */
  private boolean endsLine(int c) throws IOException {
    if (c != '\n' && c != '\r') {
      return false;
    }
    if (c == '\n') {
      firstEnd = firstEnd == 0 ? '\n' : firstEnd;
      return true;
    }
    at++;
    boolean pair = peek() == '\n';
    at--;
    if (firstEnd == 0) {
      firstEnd = '\r';
      crLf = pair;
    }
    return pair || firstEnd == '\r' && !crLf;
  }

  /** Returns the current character, which it reads if needed. */
  private int peek() throws IOException {
    if (at < limit) {
      return buffer[at];
    }
    return fill() ? buffer[at] : END;
  }

  private boolean fill() throws IOException {
    if (ended) {
      return false;
    }
    if (start > 0) {
      System.arraycopy(buffer, start, buffer, 0, limit - start);
      at -= start;
      limit -= start;
      start = 0;
    }
    if (buffer.length - limit < 2) {
      buffer = Arrays.copyOf(buffer, (int) Math.min(Integer.MAX_VALUE - 8L, 2L * buffer.length));
    }
    int n = in.read(buffer, limit, buffer.length - limit);
    ended = n < 0;
    limit += Math.max(0, n);
    return n > 0;
  }

  @Override
  public void close() throws IOException {
    buffer = new char[0]; // of a task that goes on
    at = 0;
    limit = 0;
    in.close();
  }
}
