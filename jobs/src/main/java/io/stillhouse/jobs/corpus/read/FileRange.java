package io.stillhouse.jobs.corpus.read;

import java.io.Serializable;
import java.net.URI;
import java.util.Map;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * A byte range of a text file.
 *
 * @param block the file and the first byte
 * @param length number of bytes as stored
 * @param fromDirectory the values that the names of the file's directories give to wanted columns,
 *     as in {@code label=1/rows.tsv}; a value may be null
 */
public record FileRange(FileRow.Block block, long length, Map<Role, @Nullable String> fromDirectory)
    implements Serializable {

  Path path() {
    return new Path(URI.create(block.file()));
  }

  long start() {
    return block.start();
  }
}
