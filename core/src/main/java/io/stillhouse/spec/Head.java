package io.stillhouse.spec;

import java.io.Serializable;
import java.util.List;

/**
 * The head of an encoder.
 *
 * @param task what it predicts
 * @param labels the names of the classes in order of their ids; empty unless {@code task} is {@link
 *     Task#CLASSIFICATION}
 */
public record Head(Task task, List<String> labels) implements Serializable {
  public static final Head NONE = new Head(Task.NONE, List.of());
  public static final Head MASKED_LM = new Head(Task.MASKED_LM, List.of());
  public static final Head REGRESSION = new Head(Task.REGRESSION, List.of());

  public Head {
    labels = List.copyOf(labels);
    if ((task == Task.CLASSIFICATION) != (labels.size() >= 2)) {
      throw new IllegalArgumentException(
          "classification has two or more labels, other tasks have none");
    }
  }

  /**
   * Returns the width of the task logits: the number of classes, 1 for regression, 0 where there
   * are none.
   */
  public int outputs() {
    return task == Task.REGRESSION ? 1 : labels.size();
  }
}
