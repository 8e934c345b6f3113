package io.stillhouse.jobs.corpus.read;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Decodes bytes and tells those that are malformed from a U+FFFD that is part of the text. */
public final class Encoding {
  private static final char REPLACEMENT = '\uFFFD';

  /** The bytes that must mean the same as in ASCII so that a file can be split into lines. */
  private static final String ASCII = "\n\r\tA";

  private Encoding() {}

  /** Returns the text of bytes, or null if they are not in the encoding. */
  static @Nullable String decode(byte[] bytes, int length, Charset charset) {
    String text = new String(bytes, 0, length, charset);
    if (text.indexOf(REPLACEMENT) < 0) {
      return text;
    }
    try {
      charset.newDecoder().decode(ByteBuffer.wrap(bytes, 0, length));
      return text;
    } catch (CharacterCodingException e) {
      return null;
    }
  }

  /** Returns the text of UTF-8, or null if the bytes are not UTF-8. */
  static @Nullable String utf8(byte[] bytes) {
    return decode(bytes, bytes.length, StandardCharsets.UTF_8);
  }

  /**
   * Returns whether the bytes of a file can be split into lines before they are decoded. UTF-16 and
   * UTF-32 cannot, and neither can encodings with shift states.
   */
  static boolean splitsAtLineFeeds(Charset charset) {
    return charset.canEncode()
        && !charset.name().startsWith("ISO-2022")
        && !charset.name().startsWith("x-ISO-2022")
        && Arrays.equals(ASCII.getBytes(charset), ASCII.getBytes(StandardCharsets.US_ASCII));
  }

  /** Returns whether every character of an encoding has at least two bytes. */
  static boolean isWide(Charset charset) {
    return charset.name().matches("(?i)(X-)?UTF-(16|32).*");
  }

  /** Returns why text in this encoding is broken. */
  static String problem(Charset charset) {
    return "not " + charset.name();
  }

  /** Returns whether a row is broken because its text is not in the encoding. */
  public static boolean isProblem(String problem) {
    return problem.startsWith("not ") && problem.indexOf(' ', "not ".length()) < 0;
  }

  /**
   * Replaces unpaired surrogates with U+FFFD, as tokenizers do. Only escapes of JSON can contain
   * them; UTF-8 cannot, so they would become question marks when the text is written.
   */
  static String withoutLoneSurrogates(String text) {
    StringBuilder repaired = null;
    for (int at = 0; at < text.length(); at++) {
      char c = text.charAt(at);
      if (!Character.isSurrogate(c)) {
        continue;
      }
      if (Character.isHighSurrogate(c)
          && at + 1 < text.length()
          && Character.isLowSurrogate(text.charAt(at + 1))) {
        at++;
        continue;
      }
      repaired = repaired == null ? new StringBuilder(text) : repaired;
      repaired.setCharAt(at, REPLACEMENT);
    }
    return repaired == null ? text : repaired.toString();
  }
}
