package io.stillhouse.target;

import static io.stillhouse.error.Text.format;

import java.util.ArrayList;
import java.util.List;

/**
 * The columns of a cache. No other class names a column.
 *
 * <p>L is the number of tokens of a row, including [CLS] and [SEP]; nothing is padded on disk. D is
 * the teacher's width, H its heads, C its classes.
 */
public final class Targets {
  /** The format version in the metadata of each file. A reader refuses other versions. */
  public static final int VERSION = 4;

  /** File metadata: the {@link #VERSION}. */
  public static final String META_VERSION = "stillhouse.version";

  /** File metadata, followed by a dot and the name of a column: the {@link Dtype} of its cells. */
  public static final String META_DTYPE = "stillhouse.dtype";

  /** File metadata: the number of the shard. */
  public static final String META_SHARD = "stillhouse.shard";

  /** File metadata: shapes of the tensor cells, such as {@code [length, 768]}. */
  public static final String META_SHAPE = "stillhouse.shape";

  /** File metadata: attention heads of the teacher. */
  public static final String META_HEADS = "stillhouse.heads";

  public static final Column ID =
      new Column(
          "id",
          Family.INPUTS,
          Column.Type.STRING,
          "Row key: the user's id, else file:ordinal; '#n' marks the n-th piece of a segmented row,"
              + " '~v' masked variant v.");
  public static final Column LENGTH =
      new Column("length", Family.INPUTS, Column.Type.INT, "Tokens of the row, L.");
  public static final Column TEXT =
      new Column(
          "text", Family.INPUTS, Column.Type.STRING, "The text of the row, or of its piece.");
  public static final Column PAIR =
      new Column("pair", Family.INPUTS, Column.Type.STRING, "The second text, or null.");
  public static final Column INPUT_IDS =
      new Column(
          "input_ids", Family.INPUTS, Column.Type.IDS, "Token ids as the teacher read them, [L].");
  public static final Column TYPE_IDS =
      new Column("token_type_ids", Family.INPUTS, Column.Type.IDS, "0 or 1 for each token, [L].");
  public static final Column MLM_LABELS =
      new Column(
          "mlm_labels",
          Family.INPUTS,
          Column.Type.IDS,
          "Original ids at masked positions, -100 elsewhere, [L]; null where nothing is masked.");
  public static final Column LABEL =
      new Column(
          "label",
          Family.INPUTS,
          Column.Type.DOUBLE,
          "Class id, score, or sum of 2^id over several labels; null without a label.");
  public static final Column STATUS =
      new Column(
          "status",
          Family.INPUTS,
          Column.Type.STRING,
          "Null, or why the row has no tokens and so no targets: empty, or not UTF-8.");
  public static final Column LOGITS =
      new Column("logits", Family.LOGITS, Column.Type.FLOAT32, "Task logits before softmax, [C].");

  /** The columns of the inputs family, in order. */
  public static final List<Column> INPUTS =
      List.of(ID, LENGTH, TEXT, PAIR, INPUT_IDS, TYPE_IDS, MLM_LABELS, LABEL, STATUS);

  private Targets() {}

  /** Returns the column of hidden state {@code layer}: 0 is the embedding output. */
  public static Column hidden(int layer) {
    return new Column(
        format("hidden_%02d", layer),
        Family.HIDDEN,
        Column.Type.CELL,
        format("Hidden state %d, [L, D].", layer));
  }

  /** Returns the column of the scores of block {@code block}, counted from 1. */
  public static Column attention(int block) {
    return new Column(
        format("attention_%02d", block),
        Family.ATTENTION,
        Column.Type.CELL,
        format("Scores of block %d after 1/sqrt(d), before mask and softmax, [H, L, L].", block));
  }

  /** Returns the column of the value relations of block {@code block}, counted from 1. */
  public static Column valueRelations(int block) {
    return new Column(
        format("value_relations_%02d", block),
        Family.ATTENTION,
        Column.Type.CELL,
        format(
            "Scaled products of block %d's values, V V^T / sqrt(d), before mask and softmax, [H, L,"
                + " L].",
            block));
  }

  /** Returns the tensor column with a name. */
  public static Column named(String name) {
    if (name.equals(LOGITS.name())) {
      return LOGITS;
    }
    int number = name.lastIndexOf('_') + 1;
    String kind = name.substring(0, Math.max(0, number - 1));
    return switch (kind) {
      case "hidden" -> hidden(Integer.parseInt(name.substring(number)));
      case "attention" -> attention(Integer.parseInt(name.substring(number)));
      case "value_relations" -> valueRelations(Integer.parseInt(name.substring(number)));
      default -> MlmTargets.named(name);
    };
  }

  /** Returns the columns of a file: key, length, and its tensors. */
  public static List<Column> withKey(List<Column> tensors) {
    List<Column> columns = new ArrayList<>(List.of(ID, LENGTH));
    columns.addAll(tensors);
    return List.copyOf(columns);
  }
}
