package io.stillhouse.jobs.cache.check;

import io.stillhouse.codec.CellNumbers;
import io.stillhouse.spec.Precision;
import io.stillhouse.target.Column;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Example;
import java.util.Arrays;

/**
 * Sums over the rows of a sample, from which the errors of one column are computed: squared
 * differences of numbers or, for token ids, the number that differ.
 */
final class ColumnSums {
  /** Suffix of the name of a column that is not stored. */
  private static final String DERIVED = " (derived)";

  /** One ulp of bfloat16's 8 bits: the rounding of a product's factors and result. */
  private static final double BFLOAT16_ROUNDING = 1.0 / 128;

  private static final double MIN_SCALE = 1e-30;

  private final Column column;
  private final Source source;
  private double cachedToAlone;
  private double batchedToAlone;
  private double aloneSquares;
  private double cachedToFloat32;

  /** Where a column's numbers come from. */
  enum Source {
    STORED,
    DERIVED
  }

  /**
   * A row's targets from four computations.
   *
   * @param cached stored, or derived from stored ones
   * @param batched from the live teacher, in one batch with other rows
   * @param alone from the live teacher, in a batch of one row
   * @param float32 from the plain pass in float32
   */
  record RowTargets(Example cached, Example batched, Example alone, Example float32) {}

  ColumnSums(Column column, Source source) {
    this.column = column;
    this.source = source;
  }

  /** Returns the name under which the errors are reported. */
  String name() {
    return source == Source.STORED ? column.name() : column.name() + DERIVED;
  }

  void add(RowTargets row) {
    double[] cached = CellNumbers.of(row.cached(), column);
    double[] alone = CellNumbers.of(row.alone(), column);
    cachedToAlone += distance(cached, alone);
    batchedToAlone += distance(CellNumbers.of(row.batched(), column), alone);
    aloneSquares += squares(alone);
    cachedToFloat32 += distance(cached, CellNumbers.of(row.float32(), column));
  }

  /** Returns the errors of targets that were stored in a dtype and computed in a precision. */
  Fidelity.ColumnError error(Dtype dtype, Precision precision) {
    double scale = Math.max(aloneSquares, MIN_SCALE);
    double noise = relative(batchedToAlone, scale);
    return new Fidelity.ColumnError(
        relative(cachedToAlone, scale),
        noise,
        limit(dtype, noise) + derivedRounding(precision),
        relative(cachedToFloat32, scale));
  }

  /**
   * Returns a few rounding errors of the dtype, plus the difference that batch shapes make anyway.
   */
  private double limit(Dtype dtype, double noise) {
    return switch (column.type()) {
      // Either of two almost equal logits may come first, and a draw may be at a class's edge.
      case TOKEN_IDS -> 0.0025;
      case CELL, UNSCALED, FLOAT32 ->
          10 * noise
              + switch (column.dtype(dtype)) {
                case FLOAT32 -> 1e-5;
                case FLOAT16 -> 5e-4;
                case INT8 -> 1e-2;
              };
      case STRING, INT, DOUBLE, IDS, UINT8 -> throw new IllegalStateException(column.name());
    };
  }

  /**
   * Returns the rounding error of the live teacher where training derives the column in float32.
   */
  private double derivedRounding(Precision precision) {
    return source == Source.DERIVED && precision == Precision.BFLOAT16 ? BFLOAT16_ROUNDING : 0;
  }

  private boolean ids() {
    return column.type() == Column.Type.TOKEN_IDS;
  }

  private double relative(double distance, double scale) {
    double share = distance / scale;
    return ids() ? share : Math.sqrt(share);
  }

  private double distance(double[] some, double[] others) {
    if (some.length != others.length && !ids()) {
      return Double.POSITIVE_INFINITY;
    }
    double sum = 0;
    for (int i = 0; i < Math.min(some.length, others.length); i++) {
      double difference = some[i] - others[i];
      sum += ids() ? Math.signum(Math.abs(difference)) : difference * difference;
    }
    return sum;
  }

  private double squares(double[] numbers) {
    return ids() ? numbers.length : Arrays.stream(numbers).map(number -> number * number).sum();
  }
}
