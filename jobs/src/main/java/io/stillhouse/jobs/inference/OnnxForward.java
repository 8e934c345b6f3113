package io.stillhouse.jobs.inference;

import static io.stillhouse.error.Text.format;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import io.stillhouse.error.Errors;
import io.stillhouse.text.Pairing;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/** Computes batches with ONNX Runtime, on the CPU. Several threads may share an instance. */
final class OnnxForward implements BatchForward, AutoCloseable {
  private static final String IDS = "input_ids";
  private static final String MASK = "attention_mask";
  private static final String TYPES = "token_type_ids";
  private static final String LOGITS = "logits";
  private static final String HIDDEN_STATES = "last_hidden_state";

  private final ModelLocation location;
  private final OrtEnvironment environment;
  private final OrtSession session;

  private OnnxForward(ModelLocation location, OrtEnvironment environment, OrtSession session) {
    this.location = location;
    this.environment = environment;
    this.session = session;
  }

  /**
   * Opens an ONNX file.
   *
   * @param file the file on this machine
   * @param threads number of threads of one pass
   * @throws io.stillhouse.error.StillhouseException if ONNX Runtime cannot read it, or its inputs
   *     are not those of an encoder
   */
  static OnnxForward open(ModelLocation location, Path file, int threads) {
    OrtEnvironment environment = OrtEnvironment.getEnvironment();
    try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
      options.setIntraOpNumThreads(threads);
      options.setInterOpNumThreads(1);
      // Threads that wait must leave the cores to other tasks.
      options.addConfigEntry("session.intra_op.allow_spinning", "0");
      OrtSession session = environment.createSession(file.toString(), options);
      OnnxForward forward = new OnnxForward(location, environment, session);
      forward.requireInputs();
      return forward;
    } catch (OrtException e) {
      throw Errors.invalid(
          format(
              "ONNX Runtime cannot read '%s': %s",
              location.path(), Errors.shortened(String.valueOf(e.getMessage()))),
          "export the model again",
          e);
    }
  }

  /** Returns a forward pass with the same session, whose messages name another location. */
  OnnxForward at(ModelLocation other) {
    return new OnnxForward(other, environment, session);
  }

  private void requireInputs() throws OrtException {
    List<String> unknown = new ArrayList<>(session.getInputNames());
    unknown.removeAll(Set.of(IDS, MASK, TYPES));
    if (!unknown.isEmpty() || !session.getInputNames().contains(IDS)) {
      List<String> all = List.copyOf(session.getInputNames());
      session.close();
      throw Errors.invalid(
          format("'%s' has the inputs %s", location.path(), all),
          format("use a graph whose inputs are %s, %s and %s", IDS, MASK, TYPES));
    }
  }

  @Override
  public float[][] logits(List<Pairing.Input> batch) {
    String output = output(ExportOutput.LOGITS, LOGITS);
    requirePooled(output);
    float[] flat = run(PaddedRows.of(batch), output);
    int width = flat.length / batch.size();
    float[][] rows = new float[batch.size()][];
    for (int row = 0; row < rows.length; row++) {
      rows[row] = Arrays.copyOfRange(flat, row * width, (row + 1) * width);
    }
    return rows;
  }

  @Override
  public float[][] embeddings(List<Pairing.Input> batch, Pooling pooling) {
    String output = output(ExportOutput.HIDDEN_STATES, HIDDEN_STATES);
    PaddedRows padded = PaddedRows.of(batch);
    return padded.pooled(run(padded, output), pooling);
  }

  private String output(ExportOutput kind, String name) {
    ExportOutput other =
        kind == ExportOutput.LOGITS ? ExportOutput.HIDDEN_STATES : ExportOutput.LOGITS;
    kind.require(session.getOutputNames().contains(name) ? kind : other, location);
    return name;
  }

  private void requirePooled(String output) {
    try {
      TensorInfo info =
          (TensorInfo)
              Objects.requireNonNull(session.getOutputInfo().get(output), output).getInfo();
      if (info.getShape().length > 2) {
        throw ExportOutput.perToken(location);
      }
    } catch (OrtException e) {
      throw new IllegalStateException(e);
    }
  }

  private float[] run(PaddedRows batch, String output) {
    Map<String, OnnxTensor> inputs = new LinkedHashMap<>();
    try {
      for (String name : session.getInputNames()) {
        long[] values =
            switch (name) {
              case MASK -> batch.maskBL();
              case TYPES -> batch.typesBL();
              default -> batch.idsBL();
            };
        inputs.put(
            name, OnnxTensor.createTensor(environment, LongBuffer.wrap(values), batch.shape()));
      }
      try (OrtSession.Result result = session.run(inputs, Set.of(output))) {
        FloatBuffer floats = ((OnnxTensor) result.get(0)).getFloatBuffer();
        float[] values = new float[floats.remaining()];
        floats.get(values);
        return values;
      }
    } catch (OrtException e) {
      throw new IllegalStateException(
          format(
              "ONNX Runtime failed with '%s' for %d rows of %d tokens",
              location.path(), batch.rows(), batch.longest()),
          e);
    } finally {
      inputs.values().forEach(OnnxTensor::close);
    }
  }

  @Override
  public void close() throws OrtException {
    session.close();
  }
}
