# Hugging Face's ALBERT: AlbertModel, AlbertForSequenceClassification and AlbertForMaskedLM, under the same names.
#
# Names of tensors end in their shape: B rows, L padded length, D hidden width, C logits, E width of the tables, V words.


class Attention(Module):
    training: bool
    query: __torch__.modules.Linear
    key: __torch__.modules.Linear
    value: __torch__.modules.Linear
    dense: __torch__.modules.Linear
    LayerNorm: __torch__.modules.LayerNorm

    def forward(self, inputBLD: Tensor, biasB11L: Tensor) -> Tensor:
        contextBLD = __torch__.modules.attend(
            self.query.forward(inputBLD), self.key.forward(inputBLD), self.value.forward(inputBLD), biasB11L
        )
        return self.LayerNorm.forward(self.dense.forward(contextBLD) + inputBLD)


class Layer(Module):
    training: bool
    attention: __torch__.Attention
    ffn: __torch__.modules.Linear
    ffn_output: __torch__.modules.Linear
    full_layer_layer_norm: __torch__.modules.LayerNorm

    def forward(self, inputBLD: Tensor, biasB11L: Tensor) -> Tensor:
        middleBLD = self.attention.forward(inputBLD, biasB11L)
        inner = __torch__.modules.activate(self.ffn.forward(middleBLD))
        return self.full_layer_layer_norm.forward(self.ffn_output.forward(inner) + middleBLD)


class Layers(Module):
    __annotations__ = []
    __annotations__["0"] = __torch__.Layer
    training: bool


class Group(Module):
    training: bool
    albert_layers: __torch__.Layers

    def forward(self, stateBLD: Tensor, biasB11L: Tensor) -> Tensor:
        return getattr(self.albert_layers, "0").forward(stateBLD, biasB11L)


class Groups(Module):
    __annotations__ = []
    __annotations__["0"] = __torch__.Group
    training: bool


class Encoder(Module):
    training: bool
    embedding_hidden_mapping_in: __torch__.modules.Linear
    albert_layer_groups: __torch__.Groups

    def forward(self, embeddingsBLE: Tensor, biasB11L: Tensor) -> Tensor:
        stateBLD = self.embedding_hidden_mapping_in.forward(embeddingsBLE)
        for i in range($layers):
            stateBLD = getattr(self.albert_layer_groups, "0").forward(stateBLD, biasB11L)
        return stateBLD


class Model(Module):
    training: bool
    embeddings: __torch__.modules.Embeddings
    encoder: __torch__.Encoder

    # Returns the last hidden states, (B, L, D).
    def forward(
        self, input_ids: Tensor, attention_mask: Optional[Tensor]=None, token_type_ids: Optional[Tensor]=None
    ) -> Tensor:
        embeddingsBLE = self.embeddings.forward(input_ids, token_type_ids)
        biasB11L = __torch__.modules.padding_bias(attention_mask, input_ids, embeddingsBLE)
        return self.encoder.forward(embeddingsBLE, biasB11L)


class PooledModel(Module):
    training: bool
    embeddings: __torch__.modules.Embeddings
    encoder: __torch__.Encoder
    pooler: __torch__.modules.Linear

    def forward(
        self, input_ids: Tensor, attention_mask: Optional[Tensor], token_type_ids: Optional[Tensor]
    ) -> Tensor:
        embeddingsBLE = self.embeddings.forward(input_ids, token_type_ids)
        biasB11L = __torch__.modules.padding_bias(attention_mask, input_ids, embeddingsBLE)
        stateBLD = self.encoder.forward(embeddingsBLE, biasB11L)
        return torch.tanh(self.pooler.forward(stateBLD.select(1, 0)))


class SequenceClassification(Module):
    training: bool
    albert: __torch__.PooledModel
    classifier: __torch__.modules.Linear

    # Returns the logits, (B, C).
    def forward(
        self, input_ids: Tensor, attention_mask: Optional[Tensor]=None, token_type_ids: Optional[Tensor]=None
    ) -> Tensor:
        return self.classifier.forward(self.albert.forward(input_ids, attention_mask, token_type_ids))


class Predictions(Module):
    __parameters__ = ["bias"]
    training: bool
    bias: Tensor
    dense: __torch__.modules.Linear
    LayerNorm: __torch__.modules.LayerNorm
    decoder: __torch__.modules.Linear

    def forward(self, stateBLD: Tensor) -> Tensor:
        innerBLE = __torch__.modules.activate(self.dense.forward(stateBLD))
        return self.decoder.forward(self.LayerNorm.forward(innerBLE))


class MaskedLm(Module):
    training: bool
    albert: __torch__.Model
    predictions: __torch__.Predictions

    # Returns the logits of all tokens, (B, L, V).
    def forward(
        self, input_ids: Tensor, attention_mask: Optional[Tensor]=None, token_type_ids: Optional[Tensor]=None
    ) -> Tensor:
        return self.predictions.forward(self.albert.forward(input_ids, attention_mask, token_type_ids))
