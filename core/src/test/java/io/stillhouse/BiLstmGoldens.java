package io.stillhouse;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.spec.BiLstmSpec;
import java.io.IOException;
import java.util.Map;

/** Golden BiLSTMs of single texts and pairs, computed with PyTorch's nn.LSTM. */
public abstract class BiLstmGoldens {
  protected final NDManager manager = NDManager.newBaseManager();

  protected Golden golden(String texts) {
    return new Golden(format("bilstm-tiny-%s-v1/golden.safetensors", texts), manager);
  }

  protected static ModelDirectory directory(String texts) throws IOException {
    return ModelDirectory.open(Golden.DIRECTORY.resolve(format("bilstm-tiny-%s-v1", texts)));
  }

  protected static BiLstmSpec spec(String texts, double dropout) throws IOException {
    BiLstmSpec spec = (BiLstmSpec) directory(texts).spec();
    return new BiLstmSpec(spec.words(), spec.units(), dropout, spec.texts(), spec.head());
  }

  protected Map<String, NDArray> weights(String texts) throws IOException {
    return directory(texts).weights(manager);
  }

  protected Map<String, NDArray> trained(String texts) throws IOException {
    Map<String, NDArray> weights = weights(texts);
    weights.values().forEach(weight -> weight.setRequiresGradient(true));
    return weights;
  }
}
