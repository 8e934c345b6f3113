package io.stillhouse.jobs.corpus.read;

import java.io.BufferedReader;
import java.io.Closeable;
import java.io.IOException;
import java.nio.charset.Charset;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.Text;
import org.apache.hadoop.mapreduce.TaskAttemptID;
import org.apache.hadoop.mapreduce.lib.input.FileSplit;
import org.apache.hadoop.mapreduce.lib.input.LineRecordReader;
import org.apache.hadoop.mapreduce.task.TaskAttemptContextImpl;
import org.apache.hadoop.util.LineReader;
import org.jspecify.annotations.Nullable;

/**
 * The lines of a byte range of a file, which end with LF, CR or CR LF. A line belongs to the range
 * in which it starts, or to the range before if it starts at the first byte of a range.
 */
abstract class Lines implements Closeable {

  /** Opens a range, which must be the whole file if its bytes cannot be split into lines. */
  static Lines open(FileRange range, Charset charset, Configuration hadoop) throws IOException {
    Path path = range.path();
    if (!Encoding.splitsAtLineFeeds(charset)) {
      return new Decoded(new StrictDecoder(TextStreams.open(path, hadoop), charset));
    }
    return TextStreams.isZstandard(path)
        ? new Whole(new LineReader(TextStreams.open(path, hadoop)), charset)
        : new Range(new FileSplit(path, range.start(), range.length(), null), charset, hadoop);
  }

  /** Moves to the next line. Returns false at the end. */
  abstract boolean next() throws IOException;

  /** Returns the line, or null if its bytes are not in the encoding. */
  abstract @Nullable String text();

  /** A range of a file whose bytes can be split at line feeds, also if it is compressed. */
  private static final class Range extends Lines {
    private final LineRecordReader lines = new LineRecordReader();
    private final Charset charset;

    Range(FileSplit split, Charset charset, Configuration hadoop) throws IOException {
      this.charset = charset;
      try {
        lines.initialize(split, new TaskAttemptContextImpl(hadoop, new TaskAttemptID()));
      } catch (IOException | RuntimeException e) {
        lines.close();
        throw e;
      }
    }

    @Override
    boolean next() throws IOException {
      return lines.nextKeyValue();
    }

    @Override
    @Nullable String text() {
      Text line = lines.getCurrentValue();
      return Encoding.decode(line.getBytes(), line.getLength(), charset);
    }

    @Override
    public void close() throws IOException {
      lines.close();
    }
  }

  /** A whole file that Hadoop cannot decompress. */
  private static final class Whole extends Lines {
    private static final String BYTE_ORDER_MARK = "\uFEFF";

    private final LineReader lines;
    private final Charset charset;
    private final Text line = new Text();
    private boolean first = true;
    private @Nullable String text;

    Whole(LineReader lines, Charset charset) {
      this.lines = lines;
      this.charset = charset;
    }

    @Override
    boolean next() throws IOException {
      if (lines.readLine(line) == 0) {
        return false;
      }
      text = Encoding.decode(line.getBytes(), line.getLength(), charset);
      if (first && text != null && text.startsWith(BYTE_ORDER_MARK)) {
        text = text.substring(1);
      }
      first = false;
      return true;
    }

    @Override
    @Nullable String text() {
      return text;
    }

    @Override
    public void close() throws IOException {
      lines.close();
    }
  }

  /** A whole file in an encoding such as UTF-16. */
  private static final class Decoded extends Lines {
    private final StrictDecoder decoder;
    private final BufferedReader lines;
    private @Nullable String line;

    Decoded(StrictDecoder decoder) {
      this.decoder = decoder;
      this.lines = new BufferedReader(decoder);
    }

    @Override
    boolean next() throws IOException {
      line = lines.readLine();
      return line != null;
    }

    @Override
    @Nullable String text() {
      String text = line;
      return text != null
              && decoder.sawMalformed()
              && StrictDecoder.isMalformed(text, 0, text.length())
          ? null
          : text;
    }

    @Override
    public void close() throws IOException {
      lines.close();
    }
  }
}
