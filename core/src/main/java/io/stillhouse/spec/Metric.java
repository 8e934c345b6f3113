package io.stillhouse.spec;

import java.util.List;
import java.util.Locale;

/** GLUE's metrics, and those of several labels a row. Larger is better in all of them. */
public enum Metric {
  /** Share of rows whose class is right. */
  ACCURACY,
  /**
   * Of class 1 where there are two classes, as GLUE has it, else the unweighted mean over the
   * classes; a class that is neither there nor predicted counts 0.
   */
  F1,
  /** Matthews correlation (Gorodkin's R_K for more than two classes), 0 where it is undefined. */
  MATTHEWS,
  /** Pearson's correlation, 0 where it is undefined. */
  PEARSON,
  /** Spearman's correlation, ties sharing their mean rank; 0 where it is undefined. */
  SPEARMAN,
  /** F1 over all labels of all rows pooled. */
  MICRO_F1,
  /** The unweighted mean of each label's F1. */
  MACRO_F1,
  /** Share of rows all of whose labels are right. */
  EXACT_MATCH;

  /** Returns the name used in recipes, tables and JSON. */
  public String id() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /** Returns the metric of a name, which {@link #id} gives. */
  public static Metric named(String id) {
    return valueOf(id.toUpperCase(Locale.ROOT).replace('-', '_'));
  }

  /** Returns the metrics of a task, the usual one first; none of one that is no task of rows. */
  public static List<Metric> of(Task task) {
    return switch (task) {
      case CLASSIFICATION -> List.of(ACCURACY, F1, MATTHEWS);
      case REGRESSION -> List.of(PEARSON, SPEARMAN);
      case MULTI_LABEL -> List.of(MICRO_F1, MACRO_F1, EXACT_MATCH);
      case NONE, MASKED_LM -> List.of();
    };
  }
}
