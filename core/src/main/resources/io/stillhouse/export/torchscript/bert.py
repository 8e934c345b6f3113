# Hugging Face's BERT: BertModel, BertForSequenceClassification and BertForMaskedLM, under the same names.
#
# Names of tensors end in their shape: B rows, L padded length, D hidden width, C logits, V words.


class SelfAttention(Module):
    training: bool
    query: __torch__.modules.Linear
    key: __torch__.modules.Linear
    value: __torch__.modules.Linear

    def forward(self, inputBLD: Tensor, biasB11L: Tensor) -> Tensor:
        return __torch__.modules.attend(
            self.query.forward(inputBLD), self.key.forward(inputBLD), self.value.forward(inputBLD), biasB11L
        )


# A linear layer, whose result is added to the input of the layers before it.
class Output(Module):
    training: bool
    dense: __torch__.modules.Linear
    LayerNorm: __torch__.modules.LayerNorm

    def forward(self, inner: Tensor, inputBLD: Tensor) -> Tensor:
        return self.LayerNorm.forward(self.dense.forward(inner) + inputBLD)


class Attention(Module):
    training: bool
    self: __torch__.SelfAttention
    output: __torch__.Output

    def forward(self, inputBLD: Tensor, biasB11L: Tensor) -> Tensor:
        return self.output.forward(self.self.forward(inputBLD, biasB11L), inputBLD)


class Intermediate(Module):
    training: bool
    dense: __torch__.modules.Linear

    def forward(self, inputBLD: Tensor) -> Tensor:
        return __torch__.modules.activate(self.dense.forward(inputBLD))


class Layer(Module):
    training: bool
    attention: __torch__.Attention
    intermediate: __torch__.Intermediate
    output: __torch__.Output

    def forward(self, inputBLD: Tensor, biasB11L: Tensor) -> Tensor:
        middleBLD = self.attention.forward(inputBLD, biasB11L)
        return self.output.forward(self.intermediate.forward(middleBLD), middleBLD)


class Layers(Module):
    __annotations__ = []
    __annotations__["$block"] = __torch__.Layer
    training: bool


class Encoder(Module):
    training: bool
    layer: __torch__.Layers

    def forward(self, stateBLD: Tensor, biasB11L: Tensor) -> Tensor:
        stateBLD = getattr(self.layer, "$block").forward(stateBLD, biasB11L)
        return stateBLD


class Pooler(Module):
    training: bool
    dense: __torch__.modules.Linear

    def forward(self, stateBLD: Tensor) -> Tensor:
        return torch.tanh(self.dense.forward(stateBLD.select(1, 0)))


class Model(Module):
    training: bool
    embeddings: __torch__.modules.Embeddings
    encoder: __torch__.Encoder

    # Returns the last hidden states, (B, L, D).
    def forward(
        self, input_ids: Tensor, attention_mask: Optional[Tensor]=None, token_type_ids: Optional[Tensor]=None
    ) -> Tensor:
        stateBLD = self.embeddings.forward(input_ids, token_type_ids)
        biasB11L = __torch__.modules.padding_bias(attention_mask, input_ids, stateBLD)
        return self.encoder.forward(stateBLD, biasB11L)


class PooledModel(Module):
    training: bool
    embeddings: __torch__.modules.Embeddings
    encoder: __torch__.Encoder
    pooler: __torch__.Pooler

    def forward(
        self, input_ids: Tensor, attention_mask: Optional[Tensor], token_type_ids: Optional[Tensor]
    ) -> Tensor:
        stateBLD = self.embeddings.forward(input_ids, token_type_ids)
        biasB11L = __torch__.modules.padding_bias(attention_mask, input_ids, stateBLD)
        return self.pooler.forward(self.encoder.forward(stateBLD, biasB11L))


class SequenceClassification(Module):
    training: bool
    bert: __torch__.PooledModel
    classifier: __torch__.modules.Linear

    # Returns the logits, (B, C).
    def forward(
        self, input_ids: Tensor, attention_mask: Optional[Tensor]=None, token_type_ids: Optional[Tensor]=None
    ) -> Tensor:
        return self.classifier.forward(self.bert.forward(input_ids, attention_mask, token_type_ids))


class Predictions(Module):
    __parameters__ = ["bias"]
    training: bool
    bias: Tensor
    transform: __torch__.modules.Transform
    decoder: __torch__.modules.Linear

    def forward(self, stateBLD: Tensor) -> Tensor:
        return self.decoder.forward(self.transform.forward(stateBLD))


class MaskedLmHead(Module):
    training: bool
    predictions: __torch__.Predictions

    def forward(self, stateBLD: Tensor) -> Tensor:
        return self.predictions.forward(stateBLD)


class MaskedLm(Module):
    training: bool
    bert: __torch__.Model
    cls: __torch__.MaskedLmHead

    # Returns the logits of all tokens, (B, L, V).
    def forward(
        self, input_ids: Tensor, attention_mask: Optional[Tensor]=None, token_type_ids: Optional[Tensor]=None
    ) -> Tensor:
        return self.cls.forward(self.bert.forward(input_ids, attention_mask, token_type_ids))
