package io.stillhouse.jobs.evaluate;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.jobs.corpus.InputRow;
import io.stillhouse.jobs.inference.Outputs;
import io.stillhouse.jobs.spark.Devices;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.Predictor;
import io.stillhouse.model.bilstm.BiLstm;
import io.stillhouse.model.bilstm.InferenceBiLstm;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.model.encoder.InferenceEncoder;
import io.stillhouse.model.factory.ModelFactory;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.Precision;
import io.stillhouse.spec.Task;
import io.stillhouse.torch.Autograd;
import io.stillhouse.train.MicroBatches;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Probabilities and hidden states of one model for rows, computed in this process.
 *
 * @param head the model's head
 * @param probabilities probabilities or a score for each row, shape (N, C); N empty arrays without
 *     a task head
 * @param states for each hidden state, one vector for each row, shape (N, D)
 * @param notFinite number of rows with an output that is not finite
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
record ModelOutputs(Head head, double[][] probabilities, List<float[][]> states, int notFinite) {
  private static final int BATCH_TOKENS = 2048;

  static ModelOutputs of(ModelDirectory model, List<InputRow> rows) throws IOException {
    Autograd.record(Autograd.Mode.OFF);
    Autograd.threads(Runtime.getRuntime().availableProcessors());
    ModelSpec spec = model.spec();
    int layers = spec instanceof EncoderSpec encoder ? encoder.layers() : 0;
    List<float[][]> states = new ArrayList<>();
    for (int layer = 0; layer <= layers; layer++) {
      states.add(new float[rows.size()][]);
    }
    float[][] logits = new float[rows.size()][0];
    try (NDManager manager = Devices.cpu();
        Inference inference = Inference.of(spec, model, manager)) {
      for (List<Integer> batch : batches(rows)) {
        try (NDManager scope = manager.newSubManager()) {
          List<InputRow> own = batch.stream().map(rows::get).toList();
          read(inference.predictor(), scope, own, batch, logits, states);
        }
      }
    }
    int notFinite = (int) Arrays.stream(logits).filter(row -> !Outputs.areFinite(row)).count();
    double[][] probabilities =
        Arrays.stream(logits)
            .map(row -> probabilities(spec.head().task(), row))
            .toArray(double[][]::new);
    return new ModelOutputs(spec.head(), probabilities, states, notFinite);
  }

  /** A model for inference, and how to free its memory. */
  private record Inference(Predictor predictor, Runnable release) implements AutoCloseable {
    static Inference of(ModelSpec spec, ModelDirectory model, NDManager manager)
        throws IOException {
      Predictor plain = ModelFactory.predictor(spec, model.weights(manager));
      if (plain instanceof BiLstm biLstm) {
        InferenceBiLstm fast = new InferenceBiLstm(biLstm, manager);
        return new Inference(fast, fast::close);
      }
      InferenceEncoder fast = new InferenceEncoder((Encoder) plain, manager, Precision.FLOAT32);
      return new Inference(fast, fast::close);
    }

    @Override
    public void close() {
      release.run();
    }
  }

  private static List<List<Integer>> batches(List<InputRow> rows) {
    List<Integer> indices = IntStream.range(0, rows.size()).boxed().toList();
    return MicroBatches.split(
        indices, row -> rows.get(row).length(), BATCH_TOKENS, MicroBatches.Phase.INFERENCE);
  }

  private static void read(
      Predictor predictor,
      NDManager manager,
      List<InputRow> rows,
      List<Integer> indices,
      float[][] logits,
      List<float[][]> states) {
    Batch batch =
        Batch.of(
            manager,
            rows.stream().map(InputRow::inputIds).toList(),
            rows.stream().map(InputRow::typeIds).toList());
    boolean encoder = predictor.spec() instanceof EncoderSpec;
    List<Integer> kept = encoder ? IntStream.range(0, states.size()).boxed().toList() : List.of();
    EncoderOutput output = predictor.forward(batch, Capture.of(kept, List.of()));
    for (int layer = 0; layer < states.size(); layer++) {
      float[][] vectors =
          encoder ? means(output.hidden(layer), batch) : texts(output.last(), batch.rows());
      for (int row = 0; row < indices.size(); row++) {
        states.get(layer)[indices.get(row)] = vectors[row];
      }
    }
    NDArray logitsBC = output.logits();
    if (logitsBC != null) {
      float[] flat = logitsBC.toFloatArray();
      int width = flat.length / indices.size();
      for (int row = 0; row < indices.size(); row++) {
        logits[indices.get(row)] = Arrays.copyOfRange(flat, row * width, (row + 1) * width);
      }
    }
  }

  /** Returns the mean over the real tokens of each row of a state, packed or padded. */
  private static float[][] means(NDArray state, Batch batch) {
    Shape shape = state.getShape();
    boolean packed = shape.get(0) == 1;
    int width = (int) shape.get(2);
    float[] flat = state.toFloatArray();
    float[][] means = new float[batch.rows()][width];
    int start = 0;
    for (int row = 0; row < means.length; row++) {
      int length = batch.lengths()[row];
      int first = packed ? start : row * batch.longest();
      for (int d = 0; d < width; d++) {
        double sum = 0;
        for (int token = first; token < first + length; token++) {
          sum += flat[token * width + d];
        }
        means[row][d] = (float) (sum / length);
      }
      start += length;
    }
    return means;
  }

  /** Returns the last states of each row's texts, one after another. */
  private static float[][] texts(NDArray last, int rows) {
    int width = (int) last.getShape().get(2);
    float[] flat = last.toFloatArray();
    int texts = flat.length / width / rows;
    float[][] vectors = new float[rows][texts * width];
    for (int text = 0; text < texts; text++) {
      for (int row = 0; row < rows; row++) {
        System.arraycopy(flat, (text * rows + row) * width, vectors[row], text * width, width);
      }
    }
    return vectors;
  }

  private static double[] probabilities(Task task, float[] logits) {
    return switch (task) {
      case CLASSIFICATION -> Outputs.softmax(logits);
      case MULTI_LABEL -> Outputs.sigmoid(logits);
      case REGRESSION -> new double[] {logits[0]};
      case NONE, MASKED_LM -> new double[0];
    };
  }

  /** Returns the hidden states of the first rows. */
  List<float[][]> layers(int rows) {
    return states.stream().map(state -> Arrays.copyOf(state, rows)).toList();
  }
}
