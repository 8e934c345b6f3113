/**
 * The BiLSTM student of Tang et al. 2019 (arXiv:1903.12136): a reference with plain operators, and
 * passes for inference and training that run the TorchScript of {@code bilstm.py}. BiLstmTest
 * checks that they agree with each other and with PyTorch's nn.LSTM.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.model.bilstm;
