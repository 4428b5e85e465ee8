# Max pooling over windows of three that overlap
axis u = 3, p = (size(h) - size(u))//2 + 1
data x[b,h]
parameter W[h',h], V[p]
z[b,h] = sum[h'](x[b,h']*W[h',h])
m[b,p] = max[u](z[b,2*p + u])
C = sum[b]((sum[p](m[b,p]*V[p]))^2)
