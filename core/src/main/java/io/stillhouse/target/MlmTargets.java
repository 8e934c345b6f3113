package io.stillhouse.target;

import static io.stillhouse.error.Text.format;

import io.stillhouse.spec.DistillSpec.Positions;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * How a cache stores masked-LM soft labels.
 *
 * @param kind the whole vocabulary, a part of it, or nothing
 * @param count k of {@link Kind#TOP_K}, draws of {@link Kind#SAMPLED}; 0 otherwise
 * @param temperatures the temperatures whose log-partition {@link Kind#TOP_K} stores, or the one at
 *     which {@link Kind#SAMPLED} draws; empty otherwise
 * @param positions the tokens that have soft labels
 */
public record MlmTargets(Kind kind, int count, List<Double> temperatures, Positions positions)
    implements Serializable {

  /** The prefix of columns of masked tokens. */
  public static final String MASKED = "masked_mlm_";

  private static final String ALL = "mlm_";

  /** No soft labels are stored. */
  public static final MlmTargets NONE = new MlmTargets(Kind.NONE, 0, List.of(), Positions.ALL);

  /** The part of the logits that is stored. */
  public enum Kind {
    NONE,
    /** Nothing: the teacher's head computes the logits from the last hidden state. */
    DERIVED,
    /** Every logit. */
    DENSE,
    /**
     * The k largest logits, and the log-partition at each temperature, which gives the tail's mass.
     */
    TOP_K,
    /**
     * Draws from the softmax, an unbiased estimate of it at the temperature of the draws (Sparse
     * Logit Sampling, Anshumann et al. 2025, arXiv:2503.16870).
     */
    SAMPLED;

    /** Returns the kind with a name in a recipe, such as {@code top-k}. */
    public static Kind of(String name) {
      return valueOf(name.toUpperCase(Locale.ROOT).replace('-', '_'));
    }
  }

  public MlmTargets {
    temperatures = temperatures.stream().distinct().sorted().toList();
  }

  /** Returns whether files of the logits family contain them. */
  public boolean stored() {
    return kind == Kind.DENSE || kind == Kind.TOP_K || kind == Kind.SAMPLED;
  }

  /** Returns the maximum number of bytes of a token's soft labels, before compression. */
  long tokenBytes(Dtype dtype, int vocabulary) {
    return switch (kind) {
      case NONE, DERIVED -> 0;
      case DENSE -> dtype.bytes(1, vocabulary);
      case TOP_K ->
          count * (Integer.BYTES + (long) Float.BYTES) + (long) Float.BYTES * temperatures.size();
      case SAMPLED -> count * (Integer.BYTES + 1L) + Float.BYTES + 1;
    };
  }

  /** Returns the columns that contain them. */
  public List<Column> columns() {
    List<Column> columns = new ArrayList<>();
    switch (kind) {
      case NONE, DERIVED -> {}
      case DENSE -> columns.add(dense());
      case TOP_K -> {
        columns.add(topIds());
        columns.add(topLogits());
        temperatures.forEach(temperature -> columns.add(logPartition(temperature)));
      }
      case SAMPLED -> {
        columns.add(sampleIds());
        columns.add(sampleCounts());
        columns.add(sampleEntropy());
      }
    }
    return columns;
  }

  /** Returns the column of all logits, (P, V). */
  public Column dense() {
    return column("logits", Column.Type.CELL, "Logits over the vocabulary, [P, V].");
  }

  /** Returns the column of the ids of the k largest logits, (P, K), the largest first. */
  public Column topIds() {
    return column(
        format("top_%d_ids", count),
        Column.Type.TOKEN_IDS,
        format("Ids of the %d largest logits, the largest first, [P, K].", count));
  }

  /** Returns the column of the k largest logits minus the largest, (P, K). */
  public Column topLogits() {
    return column(
        format("top_%d_logits", count),
        Column.Type.UNSCALED,
        format("The %d largest logits, minus the largest, [P, K].", count));
  }

  /** Returns the column of log sum exp((z - max z) / T), (P). */
  public Column logPartition(double temperature) {
    return column(
        "log_z_" + name(temperature),
        Column.Type.FLOAT32,
        format(
            "Log-partition at temperature %s of the logits minus the largest, [P].", temperature));
  }

  /** Returns the column of the distinct ids drawn, ragged over P. */
  public Column sampleIds() {
    return sample("ids", Column.Type.TOKEN_IDS, "Distinct ids drawn for each token, [sum of U_p].");
  }

  /**
   * Returns the column of the counts of the ids drawn, ragged over P; those of a token add up to N.
   */
  public Column sampleCounts() {
    return sample("counts", Column.Type.UINT8, "How often each id was drawn, [sum of U_p].");
  }

  /** Returns the column of the entropy of the teacher's softmax in nats, (P). */
  public Column sampleEntropy() {
    return sample("entropy", Column.Type.FLOAT32, "Entropy of the teacher's softmax, nats, [P].");
  }

  private Column sample(String part, Column.Type type, String doc) {
    return column(
        format("sample_%d_%s_%s", count, name(temperatures.get(0)), part),
        type,
        doc + format(" Temperature %s.", temperatures.get(0)));
  }

  private Column column(String name, Column.Type type, String doc) {
    return new Column(
        (positions == Positions.MASKED ? MASKED : ALL) + name, Family.LOGITS, type, doc);
  }

  /** Returns a temperature as part of a column's name, without a dot, which SQL would misread. */
  private static String name(double temperature) {
    String number =
        temperature == Math.rint(temperature)
            ? Long.toString((long) temperature)
            : Double.toString(temperature);
    return "t" + number.replace('.', '_');
  }

  /** Returns the column with a name that an {@link MlmTargets} created. */
  static Column named(String name) {
    Column.Type type = Column.Type.CELL;
    if (name.endsWith("_ids")) {
      type = Column.Type.TOKEN_IDS;
    } else if (name.endsWith("_counts")) {
      type = Column.Type.UINT8;
    } else if (name.endsWith("_entropy") || name.contains("_log_z_")) {
      type = Column.Type.FLOAT32;
    } else if (name.contains("_top_")) {
      type = Column.Type.UNSCALED;
    }
    return new Column(name, Family.LOGITS, type, "Masked-LM soft labels.");
  }

  /** Returns the smallest choice that has a column with a name. */
  public static MlmTargets of(String column) {
    Positions positions = column.startsWith(MASKED) ? Positions.MASKED : Positions.ALL;
    String[] parts = column.substring(column.indexOf(ALL) + ALL.length()).split("_", 2);
    return switch (parts[0]) {
      case "logits" -> new MlmTargets(Kind.DENSE, 0, List.of(), positions);
      case "top" -> new MlmTargets(Kind.TOP_K, count(parts[1]), List.of(), positions);
      case "log" -> new MlmTargets(Kind.TOP_K, 1, List.of(temperature(parts[1])), positions);
      case "sample" ->
          new MlmTargets(Kind.SAMPLED, count(parts[1]), List.of(temperature(parts[1])), positions);
      default -> throw new IllegalArgumentException("no column is named " + column);
    };
  }

  private static int count(String rest) {
    return Integer.parseInt(rest.substring(0, rest.indexOf('_')));
  }

  private static double temperature(String rest) {
    java.util.regex.Matcher number =
        java.util.regex.Pattern.compile("_t(\\d+(?:_\\d+)?)").matcher(rest);
    if (!number.find()) {
      throw new IllegalArgumentException("no temperature in " + rest);
    }
    return Double.parseDouble(number.group(1).replace('_', '.'));
  }

  /**
   * Returns the index of each token in the cells of a row, or -1 if it has no soft labels.
   *
   * @param length the number of tokens of the row
   * @param labels the row's masked-LM labels, or null
   */
  public int[] indices(int length, int @Nullable [] labels) {
    int[] indices = new int[length];
    int next = 0;
    for (int t = 0; t < length; t++) {
      boolean has =
          positions == Positions.ALL || labels != null && labels[t] != TargetSource.IGNORED;
      indices[t] = has ? next++ : -1;
    }
    return indices;
  }
}
