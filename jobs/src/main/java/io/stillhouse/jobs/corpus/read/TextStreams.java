package io.stillhouse.jobs.corpus.read;

import com.github.luben.zstd.ZstdInputStreamNoFinalizer;
import java.io.IOException;
import java.io.InputStream;
import java.util.Locale;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.compress.CompressionCodec;
import org.apache.hadoop.io.compress.CompressionCodecFactory;
import org.apache.hadoop.io.compress.SplittableCompressionCodec;

/** Opens files, which are decompressed if their extension says that they are compressed. */
public final class TextStreams {
  private TextStreams() {}

  /**
   * Returns whether a file is compressed with Zstandard, which Hadoop reads only with native code
   * that Spark does not contain.
   */
  static boolean isZstandard(Path file) {
    return file.getName().toLowerCase(Locale.ROOT).endsWith(".zst");
  }

  private static CompressionCodec codec(Path file, Configuration hadoop) {
    return new CompressionCodecFactory(hadoop).getCodec(file);
  }

  /** Returns whether a file is compressed. */
  static boolean isCompressed(Path file, Configuration hadoop) {
    return isZstandard(file) || codec(file, hadoop) != null;
  }

  /** Returns whether a range of the file's bytes can be read without those before it. */
  public static boolean isSplittable(Path file, Configuration hadoop) {
    if (isZstandard(file)) {
      return false;
    }
    CompressionCodec codec = codec(file, hadoop);
    return codec == null || codec instanceof SplittableCompressionCodec;
  }

  /** Opens the whole content of a file. */
  static InputStream open(Path file, Configuration hadoop) throws IOException {
    InputStream raw = file.getFileSystem(hadoop).open(file);
    try {
      if (isZstandard(file)) {
        return new ZstdInputStreamNoFinalizer(raw).setContinuous(false);
      }
      CompressionCodec codec = codec(file, hadoop);
      return codec == null ? raw : codec.createInputStream(raw);
    } catch (IOException | RuntimeException e) {
      raw.close();
      throw e;
    }
  }
}
