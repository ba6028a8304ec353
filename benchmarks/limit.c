/* An estimate of the best time on one core: a training step of an LSTM, forward and backward, as one fused loop in
 * float32.
 *
 * All sizes (T, B, D, H, O, the rows of the gates) are compile-time constants. The sequences of the batch are the
 * innermost axis, so the compiler vectorises over them. tanh is the vectorised function of libmvec. Sums stay in
 * registers, and weight gradients are kept as LANES partial sums until the end. There are no calls, passes over memory
 * or temporaries that the recurrence does not need. Inputs are already floats here; our time in NumPy includes the
 * conversion of symbols and spikes to floats.
 *
 * Built by benchmarks/contestants.py with
 *     gcc -O3 -march=native -ffast-math -fPIC -shared -DT=50 -DB=32 ... limit.c -o limit.so -lmvec -lm
 * Row blocks of W: -DROW_I, -DROW_O, -DROW_G and, with a forget gate, -DROW_F (else it is not defined).
 * -DREADOUT: 0 softmax and cross-entropy after the last step, 1 logistic and squared error after it, 2 linear and half
 * squared error at every step.
 */
#include <math.h>
#include <string.h>

#define K (H + D + 1)
#ifdef ROW_F
#define ROWS (4 * H)
#else
#define ROWS (3 * H)
#endif
#define LANES 16
#if B % LANES
#error "the batch has to be a multiple of LANES"
#endif

static float v[T + 1][K][B] __attribute__((aligned(64)));     /* [h_{t-1}; x_t; 1] */
static float a[T][ROWS][B] __attribute__((aligned(64)));      /* activations */
static float c[T + 1][H][B] __attribute__((aligned(64)));
static float tanh_c[T][H][B] __attribute__((aligned(64)));
static float dh[H][B] __attribute__((aligned(64))), dc[H][B] __attribute__((aligned(64)));
static float dz[ROWS][B] __attribute__((aligned(64)));
static float dW[ROWS][K][LANES] __attribute__((aligned(64))), dV[O][H + 1][LANES] __attribute__((aligned(64)));
static float dy[O][B] __attribute__((aligned(64)));

/* One time step of the network: a[t], then c, tanh_c and v of the next step. */
static inline void cell(int t, const float W[ROWS][K])
{
    for (int r = 0; r < ROWS; r++) {
        float scale = r / H == ROW_G ? 1.0f : 0.5f; /* sigma(z) = (1 + tanh(z / 2)) / 2 */
        float sum[B] = {0};
        for (int k = 0; k < K; k++)
            for (int b = 0; b < B; b++) sum[b] += W[r][k] * v[t][k][b];
        float shift = 1 - scale;
        for (int b = 0; b < B; b++) a[t][r][b] = shift + scale * tanhf(scale * sum[b]);
    }
    for (int j = 0; j < H; j++)
        for (int b = 0; b < B; b++) {
            float i = a[t][ROW_I * H + j][b], g = a[t][ROW_G * H + j][b], kept = c[t][j][b];
#ifdef ROW_F
            kept *= a[t][ROW_F * H + j][b];
#endif
            c[t + 1][j][b] = kept + i * g;
            tanh_c[t][j][b] = tanhf(c[t + 1][j][b]);
            v[t + 1][j][b] = a[t][ROW_O * H + j][b] * tanh_c[t][j][b];
        }
}

/* Computes dy[O][B] of the output after step t. Returns the loss at t. target: (B,) classes or values. */
static inline float read_out(int t, const float V[O][H], const float *bias, const float *target)
{
    float loss = 0;
    for (int n = 0; n < O; n++) {
        for (int b = 0; b < B; b++) dy[n][b] = bias[n];
        for (int j = 0; j < H; j++)
            for (int b = 0; b < B; b++) dy[n][b] += V[n][j] * v[t + 1][j][b];
    }
#if READOUT == 0
    for (int b = 0; b < B; b++) {
        float top = dy[0][b], total = 0;
        for (int n = 1; n < O; n++) top = dy[n][b] > top ? dy[n][b] : top;
        for (int n = 0; n < O; n++) total += expf(dy[n][b] - top);
        loss += top + logf(total);
        for (int n = 0; n < O; n++) {
            float hit = (int)target[b] == n;
            loss -= hit * dy[n][b];
            dy[n][b] = (expf(dy[n][b] - top) / total - hit) / B;
        }
    }
#else
    for (int b = 0; b < B; b++) {
#if READOUT == 1
        float y = 0.5f + 0.5f * tanhf(0.5f * dy[0][b]), error = y - target[b];
        loss += error * error;
        dy[0][b] = 2 * error * y * (1 - y) / B;
#else
        float error = dy[0][b] - target[b];
        loss += 0.5f * error * error;
        dy[0][b] = error / B;
#endif
    }
#endif
    return loss;
}

/* Adds the contributions of dy of the output after step t to dh and dV. */
static inline void read_out_backward(int t, const float V[O][H])
{
    for (int n = 0; n < O; n++) {
        for (int j = 0; j < H; j++)
            for (int b = 0; b < B; b++) dh[j][b] += V[n][j] * dy[n][b];
        for (int j = 0; j <= H; j++)
            for (int first = 0; first < B; first += LANES)
                for (int l = 0; l < LANES; l++)
                    dV[n][j][l] += dy[n][first + l] * (j < H ? v[t + 1][j][first + l] : 1.0f);
    }
}

/* theta: W (ROWS, K), V (O, H), b (O,); x (T, D, B); target (B,), with READOUT 2 (T, B). Returns the mean loss of the
 * batch, and writes its gradient with respect to theta into grad. */
float training_step(const float *theta, const float *x, const float *target, float *grad)
{
    const float(*W)[K] = (const void *)theta;
    const float(*V)[H] = (const void *)(theta + ROWS * K);
    const float *bias = theta + ROWS * K + O * H;
    float loss = 0;
    static float error[T][O][B] __attribute__((aligned(64)));

    memset(v[0], 0, sizeof v[0]), memset(c[0], 0, sizeof c[0]);
    for (int t = 0; t < T; t++) {
        memcpy(v[t][H], x + t * D * B, D * B * sizeof(float));
        for (int b = 0; b < B; b++) v[t][K - 1][b] = 1;
        cell(t, W);
        if (READOUT == 2) {
            loss += read_out(t, V, bias, target + t * B);
            memcpy(error[t], dy, sizeof dy);
        }
    }
    if (READOUT != 2) loss = read_out(T - 1, V, bias, target);

    memset(dh, 0, sizeof dh), memset(dc, 0, sizeof dc), memset(dW, 0, sizeof dW), memset(dV, 0, sizeof dV);
    for (int t = T - 1; t >= 0; t--) {
        if (READOUT == 2) memcpy(dy, error[t], sizeof dy);
        if (READOUT == 2 || t == T - 1) read_out_backward(t, V);
        for (int j = 0; j < H; j++)
            for (int b = 0; b < B; b++) {
                float i = a[t][ROW_I * H + j][b], o = a[t][ROW_O * H + j][b], g = a[t][ROW_G * H + j][b];
                float s = tanh_c[t][j][b], d = dc[j][b] + dh[j][b] * o * (1 - s * s);
                dz[ROW_O * H + j][b] = dh[j][b] * s * o * (1 - o);
                dz[ROW_I * H + j][b] = d * g * i * (1 - i);
                dz[ROW_G * H + j][b] = d * i * (1 - g * g);
#ifdef ROW_F
                float f = a[t][ROW_F * H + j][b];
                dz[ROW_F * H + j][b] = d * c[t][j][b] * f * (1 - f);
                d *= f;
#endif
                dc[j][b] = d;
            }
        for (int r = 0; r < ROWS; r++)
            for (int k = 0; k < K; k++)
            {
                float sum[LANES];
                memcpy(sum, dW[r][k], sizeof sum);
                for (int first = 0; first < B; first += LANES)
                    for (int l = 0; l < LANES; l++) sum[l] += dz[r][first + l] * v[t][k][first + l];
                memcpy(dW[r][k], sum, sizeof sum);
            }
        for (int j = 0; j < H; j++) {
            float sum[B] = {0};
            for (int r = 0; r < ROWS; r++)
                for (int b = 0; b < B; b++) sum[b] += W[r][j] * dz[r][b];
            memcpy(dh[j], sum, sizeof sum);
        }
    }
    for (int n = 0; n < ROWS * K; n++) {
        grad[n] = 0;
        for (int l = 0; l < LANES; l++) grad[n] += ((const float *)dW)[n * LANES + l];
    }
    for (int n = 0; n < O; n++)
        for (int j = 0; j <= H; j++) {
            float sum = 0;
            for (int l = 0; l < LANES; l++) sum += dV[n][j][l];
            grad[ROWS * K + (j < H ? n * H + j : O * H + n)] = sum;
        }
    return loss / B;
}
