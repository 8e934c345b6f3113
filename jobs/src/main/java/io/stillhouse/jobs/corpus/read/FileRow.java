package io.stillhouse.jobs.corpus.read;

import io.stillhouse.text.LabelCodec;
import java.io.Serializable;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A record of a file, before it has a key.
 *
 * @param block the byte range that the record was read from
 * @param cells the values of the wanted columns; {@link Cells#NONE} if the record is broken
 * @param problem why the record is broken, such as {@code 3 fields instead of 2}; null if it is not
 */
public record FileRow(Block block, Cells cells, @Nullable String problem) implements Serializable {

  /**
   * A byte range of a file that is read at once. Every pass over a corpus reads the same blocks.
   *
   * @param file the URI of the file
   * @param start first byte of the block
   */
  public record Block(String file, long start) implements Serializable {}

  /** The values of the wanted columns; null where they are missing or no column is wanted. */
  public record Cells(
      @Nullable String text, @Nullable String pair, @Nullable Label label, @Nullable String id)
      implements Serializable {
    public static final Cells NONE = new Cells(null, null, null, null);
  }

  /**
   * The label of a row.
   *
   * @param single a single label as written, which may itself contain vertical bars; null if the
   *     column holds lists
   * @param several the labels of a list
   */
  public record Label(@Nullable String single, List<@Nullable String> several)
      implements Serializable {
    /** Returns a single label, or null if it is missing. */
    static @Nullable Label of(@Nullable String single) {
      return single == null ? null : new Label(single, List.of());
    }

    /**
     * Returns the label as one text.
     *
     * @throws io.stillhouse.error.StillhouseException if a label of a list contains a vertical bar
     */
    public String text(String rowKey) {
      return single == null ? LabelCodec.join(several, rowKey) : single;
    }
  }

  /** Returns a record that can be read. */
  public static FileRow of(Block block, Cells cells) {
    return new FileRow(block, cells, null);
  }

  /** Returns a broken record. */
  public static FileRow broken(Block block, String problem) {
    return new FileRow(block, Cells.NONE, problem);
  }
}
