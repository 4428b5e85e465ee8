# The same, reading its input from the end
data x[b,t,i], y[b,o]
parameter W[i,k], U[l,k], V[k,o]
z[b,t,k] = sum[i](x[b,t,i]*W[i,k]) + sum[l](h[b,t+1,l]*U[l,k])
h[b,t,k] = tanh(z[b,t,k])
C = sum[b,o]((sum[k](h[b,0,k]*V[k,o]) - y[b,o])^2)/size(b)
