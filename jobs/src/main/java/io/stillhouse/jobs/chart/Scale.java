package io.stillhouse.jobs.chart;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The scale of an axis.
 *
 * @param kind how values are placed
 * @param min the value at the axis's start
 * @param max the value at its end
 */
record Scale(Kind kind, double min, double max) {
  enum Kind {
    LINEAR,
    LOGARITHMIC
  }

  /** Returns a linear scale that shows all finite values, with some space around them. */
  static Scale linear(double... values) {
    double[] finite = Arrays.stream(values).filter(Double::isFinite).toArray();
    double min = Arrays.stream(finite).min().orElse(0);
    double max = Arrays.stream(finite).max().orElse(1);
    double space = max > min ? 0.04 * (max - min) : Math.max(1e-9, 0.1 * Math.abs(max));
    boolean fromZero = min >= 0 && min < 0.25 * max;
    return new Scale(Kind.LINEAR, fromZero ? 0 : min - space, max + space);
  }

  /** Returns a linear scale from 0 that shows all finite values. */
  static Scale fromZero(double... values) {
    double max = Arrays.stream(values).filter(Double::isFinite).max().orElse(0);
    return new Scale(Kind.LINEAR, 0, max > 0 ? 1.04 * max : 1);
  }

  /** Returns a logarithmic scale that shows all positive finite values. */
  static Scale logarithmic(double... values) {
    double[] positive = Arrays.stream(values).filter(v -> v > 0 && Double.isFinite(v)).toArray();
    double min = Arrays.stream(positive).min().orElse(1);
    double max = Arrays.stream(positive).max().orElse(10);
    double factor = Math.max(1.25, Math.pow(max / min, 0.08));
    return new Scale(Kind.LOGARITHMIC, min / factor, max * factor);
  }

  /** Returns a logarithmic scale if the values span more than a factor of 30, else a linear one. */
  static Scale of(double... values) {
    double[] finite = Arrays.stream(values).filter(Double::isFinite).toArray();
    double min = Arrays.stream(finite).min().orElse(0);
    double max = Arrays.stream(finite).max().orElse(1);
    return min > 0 && max > 30 * min ? logarithmic(values) : linear(values);
  }

  /** Returns the position of a value, as a share of the axis. */
  double at(double value) {
    return kind == Kind.LINEAR
        ? (value - min) / (max - min)
        : Math.log(value / min) / Math.log(max / min);
  }

  /** Returns about {@code count} round values. */
  List<Double> ticks(int count) {
    return kind == Kind.LINEAR ? linearTicks(count) : logarithmicTicks(count);
  }

  private List<Double> linearTicks(int count) {
    double rough = (max - min) / count;
    double power = Math.pow(10, Math.floor(Math.log10(rough)));
    double step = 10 * power;
    for (double multiple : new double[] {5, 2.5, 2, 1}) {
      step = multiple * power >= rough ? multiple * power : step;
    }
    List<Double> ticks = new ArrayList<>();
    for (long n = (long) Math.ceil(min / step - 1e-9); n * step <= max + 1e-9 * step; n++) {
      ticks.add(n * step);
    }
    return ticks;
  }

  private List<Double> logarithmicTicks(int count) {
    List<Double> all = new ArrayList<>();
    for (double[] multiples : new double[][] {{1}, {1, 3}, {1, 2, 5}, {1, 1.5, 2, 3, 4, 5, 7}}) {
      all.clear();
      for (int power = (int) Math.floor(Math.log10(min)); power <= Math.log10(max); power++) {
        for (double multiple : multiples) {
          double tick = multiple * Math.pow(10, power);
          if (tick >= min && tick <= max) {
            all.add(tick);
          }
        }
      }
      if (all.size() >= Math.min(3, count)) {
        break;
      }
    }
    if (all.size() < 2) {
      return linearTicks(count);
    }
    return all;
  }
}
