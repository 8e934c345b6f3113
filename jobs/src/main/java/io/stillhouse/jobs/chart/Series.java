package io.stillhouse.jobs.chart;

/**
 * A line.
 *
 * @param name its name
 * @param style a number below {@link #STYLES} that selects color, dashes and marker, the same for
 *     the same thing in all charts; or {@link #FAINT}
 * @param x the horizontal values, ascending
 * @param y the vertical values; the line has a gap where one is not finite
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
public record Series(String name, int style, double[] x, double[] y) {
  /** The number of styles that readers can tell apart. */
  public static final int STYLES = 8;

  /** The style of lines that are context for others. */
  public static final int FAINT = -1;

  String classes() {
    return style == FAINT ? "faint" : "s s" + style;
  }

  /** Returns the index of the last point that is shown, or -1. */
  int last() {
    for (int at = x.length - 1; at >= 0; at--) {
      if (Double.isFinite(x[at]) && Double.isFinite(y[at])) {
        return at;
      }
    }
    return -1;
  }
}
