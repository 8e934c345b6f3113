package io.stillhouse.spec;

import java.io.Serializable;
import java.util.List;

/**
 * The teachers of a student that has several. A term is the mean over those who take part in it,
 * each with its weight's share of theirs.
 *
 * @param weight of the first, whose losses are the student's own {@link DistillSpec}
 * @param further the others
 */
public record Teachers(double weight, List<Further> further) implements Serializable {
  /** The first, and no others. */
  public static final Teachers ALONE = new Teachers(1, List.of());

  /**
   * A teacher besides the first.
   *
   * @param loss what is learnt from it: terms in which it takes no part have weight 0, and the
   *     others theirs
   */
  public record Further(double weight, DistillSpec loss) implements Serializable {}

  public Teachers {
    further = List.copyOf(further);
  }
}
