package io.stillhouse.jobs.corpus.read;

import java.io.IOException;
import java.io.InputStream;
import java.io.Reader;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.Charset;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.CodingErrorAction;

/**
 * Decodes a stream and marks malformed bytes with half a surrogate pair, which no decoder returns
 * for text, so that they can be told from a U+FFFD that is part of the text. A byte order mark at
 * the start is skipped. A read needs room for two characters.
 */
final class StrictDecoder extends Reader {
  /** Stands for malformed bytes. */
  private static final char MALFORMED = '\uDC80';

  private static final char BYTE_ORDER_MARK = '\uFEFF';

  private final InputStream in;
  private final CharsetDecoder decoder;
  private final ByteBuffer bytes = ByteBuffer.allocate(1 << 16).flip();
  private boolean atStart = true;
  private boolean ended;
  private boolean malformed;

  StrictDecoder(InputStream in, Charset charset) {
    this.in = in;
    this.decoder =
        charset
            .newDecoder()
            .onMalformedInput(CodingErrorAction.REPORT)
            .onUnmappableCharacter(CodingErrorAction.REPORT);
  }

  /** Returns whether malformed bytes have been read so far, including those read ahead. */
  boolean sawMalformed() {
    return malformed;
  }

  /** Returns whether a text contains malformed bytes. */
  static boolean isMalformed(CharSequence text, int from, int to) {
    for (int at = from; at < to; at++) {
      char c = text.charAt(at);
      if (Character.isHighSurrogate(c)
          && at + 1 < to
          && Character.isLowSurrogate(text.charAt(at + 1))) {
        at++;
      } else if (Character.isSurrogate(c)) {
        return true;
      }
    }
    return false;
  }

  @Override
  public int read(char[] into, int offset, int length) throws IOException {
    if (length == 0) {
      return 0;
    }
    CharBuffer out = CharBuffer.wrap(into, offset, length).slice();
    while (out.position() == 0) {
      if (!decode(out)) {
        break;
      }
      skipMark(out);
    }
    return out.position() == 0 ? -1 : out.position();
  }

  /** Decodes what is there, and reads more if that is nothing. Returns false at the end. */
  private boolean decode(CharBuffer out) throws IOException {
    CoderResult result = decoder.decode(bytes, out, ended);
    if (result.isError() && out.hasRemaining()) {
      bytes.position(bytes.position() + result.length()); // the decoder has not consumed them
      out.put(MALFORMED);
      malformed = true;
      return true;
    }
    if (result.isOverflow() || out.position() > 0) {
      return true;
    }
    if (ended) {
      return false;
    }
    bytes.compact();
    int n = in.read(bytes.array(), bytes.position(), bytes.remaining());
    bytes.position(bytes.position() + Math.max(n, 0)).flip();
    ended = n < 0;
    return true;
  }

  private void skipMark(CharBuffer out) {
    if (atStart && out.position() > 0) {
      atStart = false;
      if (out.get(0) == BYTE_ORDER_MARK) {
        out.flip().position(1);
        out.compact();
      }
    }
  }

  @Override
  public void close() throws IOException {
    in.close();
  }
}
