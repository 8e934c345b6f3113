package io.stillhouse;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import io.stillhouse.checkpoint.SafeTensors;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Example;
import io.stillhouse.target.TargetSource;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Reads the files that Hugging Face's implementation wrote; {@code mvn -Pgolden} rewrites them. */
public final class Golden {
  public static final Path DIRECTORY = Path.of("src/test/golden");

  private final SafeTensors file;
  private final NDManager manager;

  public Golden(String name, NDManager manager) {
    try {
      this.file = SafeTensors.open(DIRECTORY.resolve(name));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    this.manager = manager;
  }

  public NDArray read(String name) {
    return file.read(name, manager);
  }

  public java.util.Set<String> names() {
    return file.names();
  }

  /** Returns the rows of the golden batch, unpadded. */
  public List<Example> examples() {
    int[][] ids = ints("input_ids");
    int[][] types = ints("token_type_ids");
    int[][] mask = ints("attention_mask");
    boolean perToken = read("labels").getShape().dimension() == 2;
    float[] labels = read("labels").toFloatArray();
    List<Example> examples = new ArrayList<>();
    for (int row = 0; row < ids.length; row++) {
      int length = java.util.Arrays.stream(mask[row]).sum();
      int[] tokenLabels = new int[length];
      java.util.Arrays.fill(tokenLabels, TargetSource.IGNORED);
      for (int t = 0; perToken && t < length; t++) {
        tokenLabels[t] = (int) labels[row * ids[row].length + t];
      }
      examples.add(
          new Example(
              "row " + row,
              new Example.Inputs(
                  java.util.Arrays.copyOf(ids[row], length),
                  java.util.Arrays.copyOf(types[row], length),
                  perToken ? tokenLabels : null,
                  perToken ? Double.NaN : labels[row]),
              Dtype.FLOAT32,
              Map.of()));
    }
    return examples;
  }

  public static String text(String name) {
    try {
      return Files.readString(DIRECTORY.resolve(name));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Returns the difference's norm over the reference's, or over {@code floor} where the reference
   * is smaller.
   */
  public static double relativeError(NDArray actual, NDArray expected, double floor) {
    double difference =
        norm(actual.toType(DataType.FLOAT64, true).sub(expected.toType(DataType.FLOAT64, true)));
    return difference / Math.max(norm(expected.toType(DataType.FLOAT64, true)), floor);
  }

  public static double norm(NDArray array) {
    return Math.sqrt(array.toType(DataType.FLOAT64, true).square().sum().getDouble());
  }

  private int[][] ints(String name) {
    NDArray array = read(name);
    int rows = (int) array.getShape().get(0);
    int columns = (int) array.getShape().get(1);
    float[] flat = array.toFloatArray();
    int[][] result = new int[rows][columns];
    for (int i = 0; i < flat.length; i++) {
      result[i / columns][i % columns] = (int) flat[i];
    }
    return result;
  }
}
