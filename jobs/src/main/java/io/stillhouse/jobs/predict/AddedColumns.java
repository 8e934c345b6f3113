package io.stillhouse.jobs.predict;

import io.stillhouse.jobs.inference.InferenceModel;
import io.stillhouse.jobs.inference.Outputs;
import io.stillhouse.jobs.inference.Pooling;
import io.stillhouse.spec.Head;
import io.stillhouse.text.Pairing;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;

/** The columns that predict adds to a table, and how a model computes them. */
sealed interface AddedColumns extends Serializable {
  /** Probabilities by the name of the class. */
  DataType PROBABILITIES =
      DataTypes.createMapType(DataTypes.StringType, DataTypes.DoubleType, false);

  /** Returns the names of the columns without a prefix, and their types. */
  Map<String, DataType> types();

  /** Computes the vectors of rows: logits or embeddings. */
  float[][] compute(InferenceModel model, List<Pairing.Input> rows);

  /** Returns the values of the columns for a vector of finite numbers. */
  List<Object> values(float[] vector);

  /** Returns the columns of a task head. */
  static AddedColumns ofHead(Head head, int topK, double threshold) {
    return switch (head.task()) {
      case REGRESSION -> new Score();
      case MULTI_LABEL -> new Labels(head.labels(), topK, threshold);
      default -> new Classes(head.labels(), topK);
    };
  }

  /**
   * The most probable class, and the probabilities by class in descending order.
   *
   * @param topK number of probabilities; 0 for all
   */
  record Classes(List<String> names, int topK) implements AddedColumns {
    @Override
    public Map<String, DataType> types() {
      Map<String, DataType> types = new LinkedHashMap<>();
      types.put("predicted_class", DataTypes.StringType);
      types.put("probabilities", PROBABILITIES);
      return types;
    }

    @Override
    public float[][] compute(InferenceModel model, List<Pairing.Input> rows) {
      return model.logits(rows);
    }

    @Override
    public List<Object> values(float[] logits) {
      double[] probabilities = Outputs.softmax(logits);
      int best = Outputs.order(probabilities).get(0);
      return List.of(names.get(best), byName(names, probabilities, topK));
    }
  }

  /**
   * The labels whose probability exceeds a threshold, and the probabilities by label.
   *
   * @param topK number of probabilities; 0 for all
   */
  record Labels(List<String> names, int topK, double threshold) implements AddedColumns {
    @Override
    public Map<String, DataType> types() {
      Map<String, DataType> types = new LinkedHashMap<>();
      types.put("predicted_classes", DataTypes.createArrayType(DataTypes.StringType));
      types.put("probabilities", PROBABILITIES);
      return types;
    }

    @Override
    public float[][] compute(InferenceModel model, List<Pairing.Input> rows) {
      return model.logits(rows);
    }

    @Override
    public List<Object> values(float[] logits) {
      double[] probabilities = Outputs.sigmoid(logits);
      List<String> predicted = new ArrayList<>();
      for (int label = 0; label < logits.length; label++) {
        if (probabilities[label] > threshold) {
          predicted.add(names.get(label));
        }
      }
      return List.of(predicted.toArray(new String[0]), byName(names, probabilities, topK));
    }
  }

  /** The score of a regression. */
  record Score() implements AddedColumns {
    @Override
    public Map<String, DataType> types() {
      return Map.of("score", DataTypes.FloatType);
    }

    @Override
    public float[][] compute(InferenceModel model, List<Pairing.Input> rows) {
      return model.logits(rows);
    }

    @Override
    public List<Object> values(float[] logits) {
      return List.of(logits[0]);
    }
  }

  /** One vector for each row. */
  record Embedding(Pooling pooling, Scale scale) implements AddedColumns {
    /** The Euclidean length of vectors: that of the model's output, or 1. */
    enum Scale {
      AS_IS,
      UNIT
    }

    @Override
    public Map<String, DataType> types() {
      return Map.of("embedding", DataTypes.createArrayType(DataTypes.FloatType));
    }

    @Override
    public float[][] compute(InferenceModel model, List<Pairing.Input> rows) {
      return model.embeddings(rows, pooling);
    }

    @Override
    public List<Object> values(float[] vector) {
      if (scale == Scale.UNIT) {
        Pooling.normalize(vector);
      }
      Float[] values = new Float[vector.length];
      for (int n = 0; n < vector.length; n++) {
        values[n] = vector[n];
      }
      return List.of((Object) values);
    }
  }

  /**
   * Returns the probabilities by name in descending order, in the type that Spark expects of maps.
   *
   * @param topK number of classes; 0 for all
   */
  private static scala.collection.Map<String, Double> byName(
      List<String> names, double[] probabilities, int topK) {
    var map = new scala.collection.mutable.LinkedHashMap<String, Double>();
    Outputs.order(probabilities).stream()
        .limit(topK == 0 ? probabilities.length : topK)
        .forEach(c -> map.put(names.get(c), probabilities[c]));
    return map;
  }
}
