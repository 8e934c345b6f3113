package io.stillhouse;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.StillhouseException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Gives a reader files that were changed at random. A reader may read them or reject them with a
 * short message, and nothing else: no other exception, no error, and no hang.
 *
 * <p>Each input depends on its number alone, so a finding is repeated with {@code
 * -Dfuzz.first=NUMBER -Dfuzz.inputs=1}. The long form is {@code -Dfuzz.inputs=100000}, as
 * core/CONTRIBUTING.md says.
 */
public final class Fuzz {
  private static final int USUAL_INPUTS = 2000;
  private static final long SLOW_NANOS = 5_000_000_000L;
  private static final int LONGEST_MESSAGE = 600;
  private static final int MOST_FINDINGS = 5;
  private static final Pattern JSON_VALUE =
      Pattern.compile(
          "-?\\d+(?:\\.\\d+)?(?:[eE][+-]?\\d+)?|\"(?:[^\"\\\\]|\\\\.)*\"|true|false|null");
  private static final long[] NUMBERS = {
    0,
    1,
    2,
    3,
    7,
    8,
    127,
    128,
    255,
    256,
    32767,
    32768,
    65535,
    65536,
    1 << 20,
    1 << 24,
    1 << 30,
    Integer.MAX_VALUE - 8L,
    Integer.MAX_VALUE,
    1L << 31,
    0xffffffffL,
    1L << 32,
    1L << 40,
    1L << 62,
    Long.MAX_VALUE,
    Long.MIN_VALUE,
    -1,
    -2,
    -8,
    -128
  };
  private static final String[] TEXTS = {
    "null",
    "true",
    "false",
    "0",
    "-1",
    "1e999",
    "2147483647",
    "2147483648",
    "-2147483649",
    "1.5",
    "9223372036854775807",
    "9223372036854775808",
    "\"\"",
    "\"x\"",
    "[]",
    "{}",
    "[[]]",
    "[null]",
    "{\"a\":1}",
    "NaN",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"../../x\"",
    "\"/etc/passwd\"",
    "1e-400",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
  };

  private final String name;
  private final List<byte[]> seeds;
  private final boolean json;

  /** Reads a file to its end. */
  public interface Reader {
    void read(byte[] input) throws IOException;
  }

  private Fuzz(String name, List<byte[]> seeds, boolean json) {
    this.name = name;
    this.seeds = List.copyOf(seeds);
    this.json = json;
  }

  /** Changes bytes. */
  public static Fuzz bytes(String name, List<byte[]> seeds) {
    return new Fuzz(name, seeds, false);
  }

  /** Changes values of JSON texts, and now and then bytes. */
  public static Fuzz json(String name, List<byte[]> seeds) {
    return new Fuzz(name, seeds, true);
  }

  /** Reads a file that is rewritten for each input. */
  public static Reader file(Path file, Reader onFile) {
    return input -> {
      Files.write(file, input);
      onFile.read(input);
    };
  }

  /**
   * Runs the reader on {@code fuzz.inputs} inputs.
   *
   * @throws AssertionError naming the inputs for which the reader did anything else than reading or
   *     rejecting
   */
  public void run(Reader reader) {
    int first = Integer.getInteger("fuzz.first", 0);
    int inputs = Integer.getInteger("fuzz.inputs", USUAL_INPUTS);
    Map<String, String> findings = new LinkedHashMap<>();
    int rejected = 0;
    long slowest = 0;
    long begin = System.nanoTime();
    for (int number = first; number < first + inputs; number++) {
      byte[] input = input(number);
      long start = System.nanoTime();
      try {
        reader.read(input);
      } catch (StillhouseException e) {
        rejected++;
        int length = String.valueOf(e.getMessage()).length();
        if (length >= LONGEST_MESSAGE) {
          findings.putIfAbsent("message", format("input %d: %s", number, e.getMessage()));
        }
      } catch (Exception | Error e) {
        findings.putIfAbsent(place(e), format("input %d: %s%s", number, e, trace(e)));
      }
      long nanos = System.nanoTime() - start;
      slowest = Math.max(slowest, nanos);
      if (nanos > SLOW_NANOS) {
        findings.putIfAbsent("slow", format("input %d took %d ms", number, nanos / 1_000_000));
      }
    }
    System.out.printf(
        Locale.ROOT,
        "fuzz %s: %,d inputs, %,d rejected, %,d read, %d findings, %.1f s, slowest %d ms%n",
        name,
        inputs,
        rejected,
        inputs - rejected - findings.size(),
        findings.size(),
        (System.nanoTime() - begin) / 1e9,
        slowest / 1_000_000);
    if (!findings.isEmpty()) {
      throw new AssertionError(
          format(
              "%s: %d kinds of findings%n%s",
              name,
              findings.size(),
              String.join("\n", findings.values().stream().limit(MOST_FINDINGS).toList())));
    }
  }

  private static String place(Throwable e) {
    return e.getClass().getName()
        + Arrays.stream(e.getStackTrace())
            .filter(frame -> frame.getClassName().startsWith("io.stillhouse."))
            .findFirst()
            .map(StackTraceElement::toString)
            .orElse("");
  }

  private static String trace(Throwable e) {
    return Arrays.stream(e.getStackTrace())
        .limit(8)
        .map(frame -> "\n    at " + frame)
        .reduce("", String::concat);
  }

  /** Returns an input, which depends on its number only. */
  byte[] input(int number) {
    SplittableRandom random = new SplittableRandom(0x5eed_0000L + number);
    byte[] input = seeds.get(random.nextInt(seeds.size()));
    int changes = 1 + random.nextInt(4);
    for (int i = 0; i < changes; i++) {
      input = json && random.nextInt(4) > 0 ? jsonChanged(input, random) : changed(input, random);
    }
    return input;
  }

  private byte[] changed(byte[] input, SplittableRandom random) {
    if (input.length == 0) {
      return new byte[] {(byte) random.nextInt(256)};
    }
    byte[] copy = input.clone();
    // Structure is at the beginning of some formats and at the end of others.
    int reach = random.nextBoolean() ? copy.length : Math.min(copy.length, 256);
    int at = random.nextInt(reach);
    at = random.nextInt(3) == 0 ? copy.length - 1 - at : at;
    switch (random.nextInt(9)) {
      case 0 -> copy[at] ^= (byte) (1 << random.nextInt(8));
      case 1 -> copy[at] = (byte) random.nextInt(256);
      case 2 -> copy[at] = (byte) NUMBERS[random.nextInt(NUMBERS.length)];
      case 3, 4 -> {
        int width = random.nextBoolean() ? Integer.BYTES : Long.BYTES;
        byte[] number =
            ByteBuffer.allocate(Long.BYTES)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(NUMBERS[random.nextInt(NUMBERS.length)])
                .array();
        System.arraycopy(number, 0, copy, at, Math.min(width, copy.length - at));
      }
      case 5 -> {
        return Arrays.copyOf(copy, at);
      }
      case 6 -> { // without a part
        int end = Math.min(copy.length, at + 1 + random.nextInt(16));
        return joined(Arrays.copyOf(copy, at), Arrays.copyOfRange(copy, end, copy.length));
      }
      case 7 -> { // a part twice
        int end = Math.min(copy.length, at + 1 + random.nextInt(64));
        return joined(Arrays.copyOf(copy, end), Arrays.copyOfRange(copy, at, copy.length));
      }
      default -> { // the end of another file
        byte[] other = seeds.get(random.nextInt(seeds.size()));
        int from = random.nextInt(other.length + 1);
        return joined(Arrays.copyOf(copy, at), Arrays.copyOfRange(other, from, other.length));
      }
    }
    return copy;
  }

  private static byte[] jsonChanged(byte[] input, SplittableRandom random) {
    String text = new String(input, StandardCharsets.UTF_8);
    Matcher matcher = JSON_VALUE.matcher(text);
    int start = text.isEmpty() ? 0 : random.nextInt(text.length());
    if (!matcher.find(start) && !matcher.find(0)) {
      return input;
    }
    String value =
        random.nextInt(4) == 0
            ? Long.toString(NUMBERS[random.nextInt(NUMBERS.length)])
            : TEXTS[random.nextInt(TEXTS.length)];
    String changed = text.substring(0, matcher.start()) + value + text.substring(matcher.end());
    return changed.getBytes(StandardCharsets.UTF_8);
  }

  private static byte[] joined(byte[] a, byte[] b) {
    ByteArrayOutputStream joined = new ByteArrayOutputStream();
    joined.writeBytes(a);
    joined.writeBytes(b);
    return joined.toByteArray();
  }
}
