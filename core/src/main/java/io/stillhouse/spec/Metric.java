package io.stillhouse.spec;

import java.util.List;
import java.util.Locale;

/** The metrics of GLUE, and metrics of several labels per row. Larger values are better. */
public enum Metric {
  /** Share of rows whose class is right. */
  ACCURACY,
  /**
   * F1 of class 1 for two classes, as in GLUE, else the unweighted mean over classes; a class that
   * neither occurs nor is predicted counts as 0.
   */
  F1,
  /** Matthews correlation (Gorodkin's R_K for more than two classes); 0 if it is undefined. */
  MATTHEWS,
  /** Pearson's correlation; 0 if it is undefined. */
  PEARSON,
  /** Spearman's correlation, with mean ranks for ties; 0 if it is undefined. */
  SPEARMAN,
  /** F1 over the labels of all rows together. */
  MICRO_F1,
  /** The unweighted mean of each label's F1. */
  MACRO_F1,
  /** Share of rows whose labels are all right. */
  EXACT_MATCH;

  /** Returns the name used in recipes, tables and JSON. */
  public String id() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /** Returns the metric with an {@link #id}. */
  public static Metric named(String id) {
    return valueOf(id.toUpperCase(Locale.ROOT).replace('-', '_'));
  }

  /**
   * Returns the metrics of a task, the primary one first; empty for a masked LM and without a head.
   */
  public static List<Metric> of(Task task) {
    return switch (task) {
      case CLASSIFICATION -> List.of(ACCURACY, F1, MATTHEWS);
      case REGRESSION -> List.of(PEARSON, SPEARMAN);
      case MULTI_LABEL -> List.of(MICRO_F1, MACRO_F1, EXACT_MATCH);
      case NONE, MASKED_LM -> List.of();
    };
  }
}
