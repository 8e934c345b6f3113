package io.stillhouse.spec;

import java.io.Serializable;
import java.util.List;

/**
 * The teachers of a student that has several. A term is the weighted mean over the teachers that
 * take part in it.
 *
 * @param weight the weight of the first teacher, whose losses are the student's own {@link
 *     DistillSpec}
 * @param additional the additional teachers, in the order of the recipe
 */
public record Teachers(double weight, List<Additional> additional) implements Serializable {
  /** A single teacher. */
  public static final Teachers SINGLE = new Teachers(1, List.of());

  /**
   * An additional teacher.
   *
   * @param weight its weight in each of its terms
   * @param loss its losses; terms that it does not take part in have weight 0
   */
  public record Additional(double weight, DistillSpec loss) implements Serializable {}

  public Teachers {
    additional = List.copyOf(additional);
  }
}
