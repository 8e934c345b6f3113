package io.stillhouse.spec;

import java.io.Serializable;
import java.util.List;

/**
 * The head of an encoder.
 *
 * @param task its task
 * @param labels the names of the classes, or of the labels of {@link Task#MULTI_LABEL}, in the
 *     order of their ids; empty for other tasks
 */
public record Head(Task task, List<String> labels) implements Serializable {
  public static final Head NONE = new Head(Task.NONE, List.of());
  public static final Head MASKED_LM = new Head(Task.MASKED_LM, List.of());
  public static final Head REGRESSION = new Head(Task.REGRESSION, List.of());

  public Head {
    labels = List.copyOf(labels);
    int fewest = task == Task.CLASSIFICATION ? 2 : task == Task.MULTI_LABEL ? 1 : 0;
    if (labels.size() < fewest || fewest == 0 && !labels.isEmpty()) {
      throw new IllegalArgumentException(
          "classification heads have two or more labels, multi-label heads one or more, others"
              + " none");
    }
  }

  /**
   * Returns the width of the task logits: the number of classes, 1 for regression, 0 if there are
   * none.
   */
  public int outputs() {
    return task == Task.REGRESSION ? 1 : labels.size();
  }
}
